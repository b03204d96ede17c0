//! How large a number can be after `min`, `max`, `abs` and `round` with literals, so that `| max(0) | min(9999)` makes a
//! wide number fit.

use rust_decimal::Decimal;

use crate::types::{Type, Value};

use super::typed::{Expr, ExprKind};

/// The least and the greatest value, where they are known.
type Bounds = (Option<Decimal>, Option<Decimal>);

/// The type of a number, with fewer digits where both bounds are known.
pub(super) fn narrowed(value: &Expr) -> Type {
    let ty = &value.typed.ty;
    let (Some(low), Some(high)) = bounds(value) else { return ty.clone() };
    let whole = digits(low.abs().max(high.abs()));
    match ty {
        Type::Integer(known) => Type::Integer(Some(known.map_or(whole, |known| known.min(whole)))),
        Type::Decimal(Some((precision, scale))) => {
            let whole = precision.saturating_sub(*scale).min(whole);
            Type::Decimal(Some((whole + scale, *scale)))
        }
        ty => ty.clone(),
    }
}

fn bounds(value: &Expr) -> Bounds {
    match &value.kind {
        ExprKind::Literal(Value::Number(number)) => (Some(*number), Some(*number)),
        ExprKind::Call { function, args } => {
            let all = args.iter().map(bounds);
            match function.name {
                "min" => (
                    all.clone()
                        .map(|(low, _)| low)
                        .collect::<Option<Vec<_>>>()
                        .and_then(|lows| lows.into_iter().min()),
                    all.filter_map(|(_, high)| high).min(),
                ),
                "max" => {
                    let every_high = all.clone().map(|(_, high)| high).collect::<Option<Vec<_>>>();
                    (
                        all.filter_map(|(low, _)| low).max(),
                        every_high.and_then(|highs| highs.into_iter().max()),
                    )
                }
                // Rounding goes at most to the next whole number.
                "round" => {
                    let (low, high) = args.first().map_or((None, None), bounds);
                    (low.map(|low| low.floor()), high.map(|high| high.ceil()))
                }
                "abs" => match args.first().map_or((None, None), bounds) {
                    (Some(low), Some(high)) => (Some(Decimal::ZERO), Some(low.abs().max(high.abs()))),
                    _ => (Some(Decimal::ZERO), None),
                },
                _ => (None, None),
            }
        }
        _ => (None, None),
    }
}

/// Digits before the point.
fn digits(number: Decimal) -> u32 {
    let whole = number.trunc().normalize();
    whole.mantissa().unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
}
