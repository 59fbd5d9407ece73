//! Exact decimal numbers as text: parsed, held to a precision, scaled and put back.
//!
//! Works on digits, so that neither a double nor a huge exponent ever stands between what was sent and what is stored.

use bigdecimal::{BigDecimal, num_bigint::BigInt};

/// What is wrong with a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a number at all.
    Malformed,
    /// More digits after the point than the field keeps.
    TooFine,
    /// More digits before the point than the field keeps.
    TooLarge,
}

/// The fault as a fragment that completes "`field` …".
pub(super) fn explain(fault: Fault, precision: u8, scale: u8) -> String {
    match fault {
        Fault::Malformed => "must be a decimal number".to_owned(),
        Fault::TooFine => format!("must have at most {scale} digits after the point"),
        Fault::TooLarge => format!("must have at most {} digits before the point", precision - scale),
    }
}

/// Reads `text` (`-12.50`, `1e3`) and answers it as whole number of units of 10^-scale: `"-1250"` with scale 2.
pub(super) fn parse(text: &str, precision: u8, scale: u8) -> Result<String, Fault> {
    // Nobody writes longer ones by hand; bounds the work.
    if text.len() > 200 {
        return Err(Fault::Malformed);
    }
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Fault::Malformed)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Malformed);
    }
    let mut power = i64::from(exponent) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    while digits.len() > 1 && digits.ends_with('0') {
        digits.pop();
        power += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok("0".to_owned());
    }
    let zeros = power + i64::from(scale);
    if zeros < 0 {
        return Err(Fault::TooFine);
    }
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    if length + zeros > i64::from(precision) {
        return Err(Fault::TooLarge);
    }
    let zeros = usize::try_from(zeros).map_err(|_| Fault::TooLarge)?;
    Ok(format!("{}{digits}{}", if negative { "-" } else { "" }, "0".repeat(zeros)))
}

/// The number that [`parse`] answered, as Postgres takes it.
pub(super) fn big(unscaled: &str, scale: u8) -> Result<BigDecimal, Fault> {
    let number: BigInt = unscaled.parse().map_err(|_| Fault::Malformed)?;
    Ok(BigDecimal::new(number, i64::from(scale)))
}

/// The JSON text of a scaled whole number: `-1250` with scale 2 is `-12.50`.
pub(super) fn text(unscaled: i64, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(parse("12.5", 10, 2).as_deref(), Ok("1250"));
        assert_eq!(parse("-0.010", 10, 2).as_deref(), Ok("-1"));
        assert_eq!(parse("1e3", 10, 2).as_deref(), Ok("100000"));
        assert_eq!(parse("100e-2", 10, 2).as_deref(), Ok("100"));
        assert_eq!(parse("0e999999999", 10, 2).as_deref(), Ok("0"));
        assert_eq!(parse("0.001", 10, 2), Err(Fault::TooFine));
        assert_eq!(parse("1e999999999", 10, 2), Err(Fault::TooLarge));
        assert_eq!(parse("99999999.99", 10, 2).as_deref(), Ok("9999999999"));
        assert_eq!(parse("100000000", 10, 2), Err(Fault::TooLarge));
        for bad in ["", "-", ".", "1,5", "0x1", "1e", "--1", "1.2.3", "٣", "ß"] {
            assert_eq!(parse(bad, 10, 2), Err(Fault::Malformed), "{bad}");
        }
        assert_eq!(text(1000, 2), "10.00");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(7, 0), "7");
    }
}
