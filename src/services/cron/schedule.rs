//! A schedule: five fields or a nickname, in a time zone, and when its next tick is.
//!
//! Fields are read and matched against wall clock times by `croner`; what becomes of a wall clock time that a zone skips or repeats is
//! decided here, as Vixie cron does it. `croner` has rules for that as well, but counts `0,30 2 * * *` among the jobs that run by the
//! interval, where cron goes by whether minute or hour begin with `*`.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::services::query::{clip, nearest};

/// Longest text of a schedule, in bytes.
const MAX_LENGTH: usize = 200;

/// Names for whole schedules.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Ticks of one moment that are looked through at most: more wall clock minutes than any zone ever repeated or skipped.
const MAX_STEPS: usize = 3_000;

/// When a job runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    /// Whether minute or hour begin with `*`: then it follows real time, also through a change of the clocks.
    is_interval: bool,
}

impl Schedule {
    /// Reads a schedule and the name of a zone.
    ///
    /// # Errors
    /// `(member, what is wrong with it)`.
    pub fn parse(schedule: &str, zone: &str) -> Result<Self, (&'static str, String)> {
        let zone: Tz = zone.parse().map_err(|_| {
            let near = nearest(zone, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            ("timezone", format!("must be the IANA name of a time zone such as `Europe/Berlin` or `UTC`, not: {}{near}", clip(zone)))
        })?;
        let wrong = |why: &str| ("schedule", format!("{why}: {}", clip(schedule)));
        let text = schedule.trim();
        if text.len() > MAX_LENGTH || !text.is_ascii() {
            return Err(wrong("must have five fields of plain characters, minute hour day month weekday, not"));
        }
        let text = match text.strip_prefix('@') {
            Some(_) => {
                let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
                let names = NICKNAMES.map(|(name, _)| format!("`{name}`")).join(", ");
                known.map(|(_, fields)| *fields).ok_or_else(|| wrong(&format!("must be five fields or one of {names}, not")))?
            }
            None => text,
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, _, _, _] = fields[..] else {
            return Err(wrong(&format!("must have five fields, minute hour day month weekday, not {}", fields.len())));
        };
        let is_interval = minute.starts_with('*') || hour.starts_with('*');
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| wrong(&format!("can't be read ({error})")))?;
        let schedule = Self { cron, zone, is_interval };
        // The thirtieth of February is a mistake that would otherwise show by nothing ever happening.
        schedule.wall(DateTime::<Utc>::UNIX_EPOCH.naive_utc() + TimeDelta::days(365 * 50)).ok_or_else(|| wrong("never comes"))?;
        Ok(schedule)
    }

    /// The first tick after `after`. None when there is none in the next thousands of years.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_interval { self.next_of_interval(after) } else { self.next_of_fixed(after) }
    }

    /// The last tick from `first` to `until`, both included; `first` is a tick.
    pub fn last(&self, first: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        // From the nearest window with a tick in it, so that a year of missed minutes isn't walked through.
        let windows = [1, 24, 24 * 32, 24 * 370].map(TimeDelta::hours);
        let near = windows.into_iter().map(|window| until - window).take_while(|from| *from > first);
        let mut tick = near.filter_map(|from| self.next(from)).find(|tick| *tick <= until).unwrap_or(first);
        while let Some(next) = self.next(tick).filter(|next| *next <= until) {
            tick = next;
        }
        tick
    }

    /// A job of fixed times runs each of them once: at the end of the gap where the clocks skip it, the first time where they repeat it.
    fn next_of_fixed(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = self.local(after);
        for _ in 0..MAX_STEPS {
            wall = self.wall(wall)?;
            let tick = match self.zone.from_local_datetime(&wall) {
                MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.with_timezone(&Utc),
                MappedLocalTime::None => self.end_of_gap(wall),
            };
            if tick > after {
                return Some(tick);
            }
        }
        None
    }

    /// A job of intervals runs whenever the clock on the wall matches: never in what the clocks skip, twice in what they repeat.
    fn next_of_interval(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = after;
        for _ in 0..MAX_STEPS {
            // As if the offset never changed; then up to where it does.
            let offset = self.offset(from);
            let tick = self.wall(from.naive_utc() + offset)?.and_utc() - offset;
            if self.offset(tick) == offset && self.change(from, tick, offset).is_none() {
                return Some(tick);
            }
            let change = self.change(from, tick, offset)?;
            // The first moment under the new offset is looked at as well.
            let (wall, offset) = (change.naive_utc() + self.offset(change), self.offset(change));
            let first = self.wall(wall - TimeDelta::seconds(1))?;
            if first == wall {
                return Some(first.and_utc() - offset);
            }
            from = change;
        }
        None
    }

    /// The first wall clock time after `wall` that matches.
    fn wall(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&wall.and_utc(), false).ok().map(|at| at.naive_utc())
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()))
    }

    /// The first moment in `(from, to]` at which the offset isn't `offset` any more.
    fn change(&self, from: DateTime<Utc>, to: DateTime<Utc>, offset: TimeDelta) -> Option<DateTime<Utc>> {
        // No zone changes its offset twice within a week and back without being seen here.
        let mut low = from;
        while low < to {
            let high = (low + TimeDelta::days(7)).min(to);
            if self.offset(high) != offset {
                return Some(self.bisect(low, high, offset));
            }
            low = high;
        }
        None
    }

    fn bisect(&self, mut low: DateTime<Utc>, mut high: DateTime<Utc>, offset: TimeDelta) -> DateTime<Utc> {
        while high - low > TimeDelta::seconds(1) {
            let middle = low + (high - low) / 2;
            if self.offset(middle) == offset { low = middle } else { high = middle }
        }
        // Changes are at whole seconds; what was bisected need not have been.
        high.with_timezone(&Utc) - TimeDelta::nanoseconds(i64::from(high.timestamp_subsec_nanos()))
    }

    /// When the clocks have jumped over `wall`.
    fn end_of_gap(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        // A day and more before and after: no gap is longer.
        let (low, high) = (wall.and_utc() - TimeDelta::hours(50), wall.and_utc() + TimeDelta::hours(50));
        let offset = self.offset(low);
        self.change(low, high, offset).unwrap_or(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule, zone).unwrap_or_else(|(member, why)| panic!("{member}: {why}"));
        let mut at: DateTime<Utc> = from.parse().expect("a moment");
        let next = |at: &mut DateTime<Utc>| {
            *at = schedule.next(*at)?;
            Some(at.with_timezone(&schedule.zone).format("%m-%d %H:%M %z").to_string())
        };
        std::iter::from_fn(|| next(&mut at)).take(count).collect()
    }

    #[test]
    fn plain_schedules_and_nicknames() {
        assert_eq!(
            ticks("30 4 1,15 * 5", "UTC", "2026-11-01T05:00:00Z", 3),
            ["11-06 04:30 +0000", "11-13 04:30 +0000", "11-15 04:30 +0000"]
        );
        assert_eq!(ticks("@weekly", "UTC", "2026-11-20T00:00:00Z", 1), ["11-22 00:00 +0000"]);
        assert_eq!(ticks("@MIDNIGHT", "Asia/Kolkata", "2026-11-20T00:00:00Z", 1), ["11-21 00:00 +0530"]);
        assert_eq!(ticks("*/20 9-10 * jan mon", "UTC", "2026-12-20T00:00:00Z", 2), ["01-04 09:00 +0000", "01-04 09:20 +0000"]);
        assert_eq!(ticks("0 0 29 2 *", "UTC", "2026-12-20T00:00:00Z", 2), ["02-29 00:00 +0000", "02-29 00:00 +0000"]);
    }

    #[test]
    fn in_spring_fixed_times_run_after_the_gap_and_intervals_leave_it_out() {
        // 2026-03-29: 02:00 CET is 03:00 CEST. New York: 2026-03-08, 02:00 EST is 03:00 EDT.
        assert_eq!(ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["03-29 03:00 +0200", "03-30 02:30 +0200"]);
        assert_eq!(ticks("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["03-29 03:00 +0200", "03-30 02:00 +0200"]);
        assert_eq!(ticks("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2), ["03-29 01:30 +0100", "03-29 03:30 +0200"]);
        assert_eq!(ticks("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1), ["03-30 02:00 +0200"]);
        assert_eq!(ticks("0 * * * *", "America/New_York", "2026-03-08T06:30:00Z", 2), ["03-08 03:00 -0400", "03-08 04:00 -0400"]);
        assert_eq!(ticks("15 2 8 3 *", "America/New_York", "2026-03-01T00:00:00Z", 1), ["03-08 03:00 -0400"]);
        // Half an hour: Lord Howe Island, 2026-10-04, 02:00 is 02:30.
        assert_eq!(ticks("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2), ["10-04 02:30 +1100", "10-05 02:10 +1100"]);
        // A day that there wasn't: Samoa, 2011-12-30.
        assert_eq!(
            ticks("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3),
            ["12-29 12:00 -1000", "12-31 00:00 +1400", "12-31 12:00 +1400"]
        );
    }

    #[test]
    fn in_autumn_fixed_times_run_once_and_intervals_go_on_by_real_time() {
        // 2026-10-25: 03:00 CEST is 02:00 CET.
        assert_eq!(ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["10-25 02:30 +0200", "10-26 02:30 +0100"]);
        assert_eq!(
            ticks("0,30 2 25 * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3),
            ["10-25 02:00 +0200", "10-25 02:30 +0200", "11-25 02:00 +0100"]
        );
        assert_eq!(
            ticks("30 * * * *", "Europe/Berlin", "2026-10-24T23:31:00Z", 4),
            ["10-25 02:30 +0200", "10-25 02:30 +0100", "10-25 03:30 +0100", "10-25 04:30 +0100"]
        );
        assert_eq!(
            ticks("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 4),
            ["10-25 02:30 +0200", "10-25 02:00 +0100", "10-25 02:30 +0100", "10-26 02:00 +0100"]
        );
        assert_eq!(ticks("0 1 1 11 *", "America/New_York", "2026-10-31T00:00:00Z", 2), ["11-01 01:00 -0400", "11-01 01:00 -0400"]);
    }

    #[test]
    fn what_was_missed_is_one_tick_the_last() {
        let of = |schedule: &str, first: &str, until: &str| {
            let schedule = Schedule::parse(schedule, "Europe/Berlin").expect("valid");
            schedule.last(first.parse().expect("a moment"), until.parse().expect("a moment")).to_rfc3339()
        };
        assert_eq!(of("* * * * *", "2025-01-01T00:00:00Z", "2026-11-20T10:07:30Z"), "2026-11-20T10:07:00+00:00");
        assert_eq!(of("0 3 * * *", "2025-01-01T02:00:00Z", "2026-11-20T10:07:30Z"), "2026-11-20T02:00:00+00:00");
        assert_eq!(of("0 3 1 1 *", "2025-01-01T02:00:00Z", "2025-11-20T10:07:30Z"), "2025-01-01T02:00:00+00:00");
        assert_eq!(of("0 3 * * *", "2026-11-20T02:00:00Z", "2026-11-20T02:00:00Z"), "2026-11-20T02:00:00+00:00");
    }

    #[test]
    fn mistakes_name_the_member_and_what_is_wrong() {
        for (schedule, zone, member, part) in [
            ("* * * *", "UTC", "schedule", "not 4"),
            ("* * * * * *", "UTC", "schedule", "not 6"),
            ("", "UTC", "schedule", "not 0"),
            ("@reboot", "UTC", "schedule", "`@hourly`"),
            ("61 * * * *", "UTC", "schedule", "61 * * * *"),
            ("0 0 30 2 *", "UTC", "schedule", "never comes"),
            ("0 0 * * xyz", "UTC", "schedule", "xyz"),
            ("5-1 * * * *", "UTC", "schedule", "can't be read"),
            ("*/0 * * * *", "UTC", "schedule", "can't be read"),
            ("é * * * *", "UTC", "schedule", "five fields"),
            ("* * * * *", "Europe/Berlni", "timezone", "Europe/Berlin"),
            ("* * * * *", "", "timezone", "IANA"),
            ("* * * * *", "+02:00", "timezone", "IANA"),
        ] {
            let (wrong, why) = Schedule::parse(schedule, zone).expect_err(schedule);
            assert_eq!(wrong, member, "{schedule} {zone}: {why}");
            assert!(why.contains(part), "{schedule} {zone}: {why}");
        }
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic_or_stand_still() {
        let pieces = [
            "*",
            "-",
            ",",
            "/",
            "1",
            "59",
            "99999999999",
            "L",
            "W",
            "#",
            "?",
            "+",
            "MON",
            "JAN",
            "@",
            "5-",
            "-5",
            "L-3",
            "15W",
            "5#9",
            "*/",
            "1-2-3",
        ];
        for a in pieces {
            for b in pieces {
                for text in [format!("{a}{b} * * * *"), format!("* {b} {a} * *"), format!("0 0 {a}{b} * {b}"), format!("0 0 1 {b} {a}{b}")]
                {
                    if let Ok(schedule) = Schedule::parse(&text, "America/New_York") {
                        let next = schedule.next("2026-11-01T04:00:00Z".parse().expect("a moment"));
                        assert!(next.is_some(), "{text}");
                    }
                }
            }
        }
    }
}
