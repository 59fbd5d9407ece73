//! Dates and times as text, in the one form that both databases keep: to the millisecond, years 0001 to 9999.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// Reads `YYYY-MM-DD`, optionally followed by `T` or a space, `HH:MM`, `:SS`, `.fraction` and `Z` or an offset; answers it in UTC.
/// Text without an offset is taken as it stands; digits beyond milliseconds are dropped. None: not of that form, or out of range.
pub(super) fn parse(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    if bytes.len() > 40 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, len: usize| -> Option<u32> {
        let part = bytes.get(from..from + len)?;
        part.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, what: u8| bytes.get(at) == Some(&what);
    if !is(4, b'-') || !is(7, b'-') {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 2)?, number(8, 2)?)?;
    if bytes.len() == 10 {
        return in_range(date.and_hms_opt(0, 0, 0)?);
    }
    if !(is(10, b'T') || is(10, b't') || is(10, b' ')) || !is(13, b':') {
        return None;
    }
    let (hour, minute) = (number(11, 2)?, number(14, 2)?);
    let (mut second, mut milli, mut at) = (0, 0, 16);
    if is(at, b':') {
        second = number(17, 2)?;
        at = 19;
        if is(at, b'.') {
            let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            for place in 0..3 {
                milli = milli * 10 + if place < digits { number(at + 1 + place, 1)? } else { 0 };
            }
            at += 1 + digits;
        }
    }
    let local = date.and_hms_milli_opt(hour, minute, second, milli)?;
    let offset = match &text[at..] {
        "" | "Z" | "z" => 0,
        zone => {
            let sign = match zone.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (hours, minutes) = match zone.len() {
                3 => (number(at + 1, 2)?, 0),
                5 => (number(at + 1, 2)?, number(at + 3, 2)?),
                6 if is(at + 3, b':') => (number(at + 1, 2)?, number(at + 4, 2)?),
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            sign * i64::from(hours * 60 + minutes)
        }
    };
    in_range(local.checked_sub_signed(TimeDelta::minutes(offset))?)
}

/// Reads `HH:MM`, optionally followed by `:SS` and `.fraction`, or the time of what [`parse`] reads; digits beyond milliseconds are dropped.
pub(super) fn parse_time(text: &str) -> Option<NaiveTime> {
    let clock = text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.');
    // As the time of some day, so that there is one grammar of times.
    if clock { parse(&format!("2000-01-01T{text}")) } else { parse(text).filter(|_| text.len() > 10) }.map(|at| at.time())
}

/// `YYYY-MM-DDTHH:MM:SS.mmm`, which sorts by time.
pub(super) fn sortable(at: NaiveDateTime) -> String {
    format!("{}T{}", day(at.date()), sortable_time(at.time()))
}

/// `YYYY-MM-DD`, which sorts by time.
pub(super) fn day(day: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

/// `HH:MM:SS.mmm`, which sorts by time.
pub(super) fn sortable_time(at: NaiveTime) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", at.hour(), at.minute(), at.second(), at.nanosecond() / 1_000_000 % 1000)
}

fn in_range(at: NaiveDateTime) -> Option<NaiveDateTime> {
    (1..=9999).contains(&at.year()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_millisecond_and_in_utc() {
        let cases = [
            ("2026-01-02", "2026-01-02T00:00:00.000"),
            ("2026-01-02T03:04", "2026-01-02T03:04:00.000"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05.000"),
            ("2026-01-02T03:04:05.6789Z", "2026-01-02T03:04:05.678"),
            ("2026-01-02T03:04:05.6+02:00", "2026-01-02T01:04:05.600"),
            ("2026-01-02T03:04-0330", "2026-01-02T06:34:00.000"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000"),
        ];
        for (text, stored) in cases {
            assert_eq!(parse(text).map(sortable).as_deref(), Some(stored), "{text}");
        }
        let bad = [
            "",
            "2026-1-2",
            "2026-02-30",
            "2026-01-02T",
            "2026-01-02T25:00",
            "2026-01-02T03:04:60",
            "2026-01-02T03:04:05.",
            "0000-01-01",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "2026-01-02T03:04X",
            "2026-01-02T03:04+1",
            "+2026-01-02",
            "12026-01-02",
            "2026-01-02T03:04:05 Z",
            "２０２６-01-02",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
