//! Who one is: signing in, staying signed in, and ceasing to be.

use serde_json::json;

use crate::support::app::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN};
use crate::support::*;

async fn log_in(client: &Client, email: &str, password: &str) -> Answer {
    client.anonymous().post("/api/auth/login", json!({ "email": email, "password": password })).await
}

async fn refresh(client: &Client, token: &str) -> Answer {
    client.anonymous().post("/api/auth/refresh", json!({ "refresh_token": token })).await
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

both!(login_gives_tokens_that_work_and_says_for_how_long, async |app| {
    let data = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    assert!(data["expires"].as_u64().unwrap() >= 60_000, "milliseconds: {data}");
    let me = app.with_token(text(&data["access_token"])).get("/api/users/me").await.expect(200).data();
    assert_eq!(me["email"], ADMIN_EMAIL);
});

both!(the_address_is_compared_without_case, async |app| {
    log_in(app, &ADMIN_EMAIL.to_uppercase(), ADMIN_PASSWORD).await.expect(200);
});

both!(a_wrong_password_and_an_unknown_address_get_the_same_answer, async |app| {
    let wrong = log_in(app, ADMIN_EMAIL, "wrong").await.expect_error(401, "INVALID_CREDENTIALS");
    let unknown = log_in(app, "nobody@example.com", "wrong").await.expect_error(401, "INVALID_CREDENTIALS");
    assert_eq!(wrong.message(), unknown.message());
});

both!(a_login_without_its_parts_is_a_malformed_body, async |app| {
    for body in [json!({}), json!({ "email": ADMIN_EMAIL }), json!({ "email": 1, "password": 2 }), json!([])] {
        app.anonymous().post("/api/auth/login", body).await.expect_error(400, "INVALID_PAYLOAD");
    }
});

both!(a_refresh_token_works_once_and_gives_the_next, async |app| {
    let first = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    let second = refresh(app, &text(&first["refresh_token"])).await.expect(200).data();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    app.with_token(text(&second["access_token"])).get("/api/users/me").await.expect(200);
    refresh(app, &text(&second["refresh_token"])).await.expect(200);
});

both!(a_refresh_token_used_twice_revokes_its_family, async |app| {
    let first = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    let other = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    let second = refresh(app, &text(&first["refresh_token"])).await.expect(200).data();
    refresh(app, &text(&first["refresh_token"])).await.expect_error(401, "INVALID_CREDENTIALS");
    refresh(app, &text(&second["refresh_token"])).await.expect_error(401, "INVALID_CREDENTIALS");
    refresh(app, &text(&other["refresh_token"])).await.expect(200);
});

both!(logout_ends_the_refresh_token, async |app| {
    let data = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    let token = text(&data["refresh_token"]);
    let answer = app.anonymous().post("/api/auth/logout", json!({ "refresh_token": token })).await;
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    refresh(app, &token).await.expect_error(401, "INVALID_CREDENTIALS");
});

both!(an_unknown_refresh_token_is_refused, async |app| {
    refresh(app, "never-given").await.expect_error(401, "INVALID_CREDENTIALS");
    app.anonymous().post("/api/auth/refresh", json!({})).await.expect_error(400, "INVALID_PAYLOAD");
});

both!(a_static_token_works_in_the_header_and_in_the_query, async |app| {
    let person = person(app, &[]).await;
    assert_eq!(person.client.get("/api/users/me").await.expect(200).data()["id"], json!(person.id));
    let path = format!("/api/users/me?access_token={ADMIN_TOKEN}");
    assert_eq!(app.anonymous().get(&path).await.expect(200).data()["email"], ADMIN_EMAIL);
});

both!(a_token_that_was_never_given_is_401, async |app| {
    for token in ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJpZCI6IjEifQ.", "ünïcode"] {
        let answer = app.anonymous().query("/api/users/me", &[("access_token", token)]).await.expect(401);
        assert!(matches!(answer.code().as_str(), "INVALID_CREDENTIALS" | "UNAUTHORIZED"), "{answer:?}");
    }
});

both!(a_token_signed_with_another_algorithm_or_key_is_401, async |app| {
    let data = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    let token = text(&data["access_token"]);
    let parts: Vec<&str> = token.split('.').collect();
    let none = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{}.", parts[1]);
    let flipped = format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());
    for forged in [none, flipped] {
        app.with_token(forged).get("/api/users/me").await.expect(401);
    }
});

both!(nobody_is_not_somebody, async |app| {
    app.anonymous().get("/api/users/me").await.expect_error(401, "UNAUTHORIZED");
});

both!(an_inactive_user_is_out_at_once, async |app| {
    let person = person(app, &[]).await;
    let tokens = log_in(app, &person.email, &person.password).await.expect(200).data();
    let signed_in = app.with_token(text(&tokens["access_token"]));
    signed_in.get("/api/users/me").await.expect(200);
    app.patch(&format!("/api/users/{}", person.id), json!({ "status": "suspended" })).await.expect(200);
    signed_in.get("/api/users/me").await.expect(401);
    person.client.get("/api/users/me").await.expect(401);
    refresh(app, &text(&tokens["refresh_token"])).await.expect(401);
    log_in(app, &person.email, &person.password).await.expect(401);
});

both!(secrets_are_stored_hashed_and_never_shown, async |app| {
    let person = person(app, &[]).await;
    for answer in [
        person.client.get("/api/users/me").await.expect(200),
        app.get(&format!("/api/users/{}", person.id)).await.expect(200),
        app.get("/api/users?limit=-1").await.expect(200),
    ] {
        assert!(!answer.body.contains("static-token-of-person"), "{}", answer.body);
        assert!(!answer.body.contains("argon2"), "{}", answer.body);
        assert!(!answer.body.contains(&person.password), "{}", answer.body);
    }
    assert_eq!(app.number("SELECT count(*) FROM daas_users WHERE token LIKE '%static-token%'").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM daas_users WHERE password NOT LIKE '$argon2id$%'").await, 0);
    let log = app.log();
    assert!(!log.contains(&person.password) && !log.contains("static-token-of-person"), "a secret is in the log");
});

both!(tokens_survive_a_restart, async |app| {
    let data = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200).data();
    app.restart().await;
    app.with_token(text(&data["access_token"])).get("/api/users/me").await.expect(200);
    refresh(app, &text(&data["refresh_token"])).await.expect(200);
});

both!(many_wrong_passwords_slow_the_next_down, async |app| {
    let mut last = 0;
    for _ in 0..60 {
        last = log_in(app, "somebody@example.com", "wrong").await.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429, "60 wrong passwords in a row were all answered at once");
    log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD).await;
});

both!(a_missing_admin_password_is_generated_and_printed_once, env: [("ADMIN_PASSWORD", ""), ("LOG_FORMAT", "text")], async |app| {
    let printed = app.log();
    // The password stands alone in its line after a colon or blank: whatever the wording is, one of the words must open the door.
    let words: Vec<&str> = printed.split_whitespace().filter(|w| w.len() >= 12 && !w.contains("://")).collect();
    let mut found = None;
    let line = printed.lines().find(|l| l.to_lowercase().contains("password")).unwrap_or_else(|| panic!("no password printed:\n{printed}"));
    for word in words.into_iter().filter(|w| line.contains(w)) {
        if log_in(app, ADMIN_EMAIL, word).await.status == 200 {
            found = Some(word.to_owned());
        }
    }
    let password = found.unwrap_or_else(|| panic!("no word of this line is the password: {line}"));
    app.restart().await;
    assert_eq!(app.log().matches(&password).count(), 1, "printed again after a restart");
    log_in(app, ADMIN_EMAIL, &password).await.expect(200);
});
