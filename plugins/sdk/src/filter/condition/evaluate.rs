//! Whether a condition holds for an event. Owns how values compare.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};
use uuid::Uuid;

use super::{Comparison, Expression, Field, Literal, Relation, Step};
use crate::{Event, Priority};

/// What a field has in one event.
enum Found<'e> {
    Text(&'e str),
    Seq(u64),
    Priority(Priority),
    Time(Timestamp),
    Id(Uuid),
    Json(&'e Value),
}

impl Expression {
    pub(super) fn holds(&self, event: &Event) -> bool {
        match self {
            Self::Any(all) => all.iter().any(|it| it.holds(event)),
            Self::All(all) => all.iter().all(|it| it.holds(event)),
            Self::Not(inner) => !inner.holds(event),
            Self::Exists(field) => field.of(event).is_some(),
            Self::Compare(field, comparison) => match field.of(event) {
                Some(found) => comparison.holds(&found),
                None => matches!(comparison, Comparison::Is(Relation::NotEqual, _)),
            },
        }
    }
}

impl Field {
    fn of<'e>(&self, event: &'e Event) -> Option<Found<'e>> {
        let context = &event.context;
        Some(match self {
            Self::Name => Found::Text(event.name.as_str()),
            Self::Id => Found::Id(event.id),
            Self::Seq => Found::Seq(event.seq),
            Self::Priority => Found::Priority(event.priority),
            Self::Source => Found::Text(context.source_plugin.as_deref()?),
            Self::CorrelationId => Found::Id(context.correlation_id),
            Self::CausationId => Found::Id(context.causation_id?),
            Self::Timestamp => Found::Time(context.timestamp),
            Self::Payload(path) => Found::Json(walk(Some(&event.payload), path)?),
            Self::Metadata(path) => match path.split_first()? {
                (Step::Key(key), path) => Found::Json(walk(context.metadata.get(key), path)?),
                (Step::Index(_), _) => return None,
            },
        })
    }
}

fn walk<'e>(value: Option<&'e Value>, path: &[Step]) -> Option<&'e Value> {
    path.iter().try_fold(value?, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

impl Comparison {
    fn holds(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Is(relation, literal) => relation.holds(compare(found, literal)),
            Self::In(literals) => literals.iter().any(|it| equal(found, it)),
            Self::Contains(literal) => match found {
                Found::Json(Value::Array(items)) => items.iter().any(|it| equal(&Found::Json(it), literal)),
                _ => both(found, literal).is_some_and(|(text, part)| text.contains(part)),
            },
            Self::StartsWith(part) => text(found).is_some_and(|text| text.starts_with(part)),
            Self::EndsWith(part) => text(found).is_some_and(|text| text.ends_with(part)),
        }
    }
}

impl Relation {
    /// `None` when the values are of different kinds.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::AtLeast => order.is_some_and(Ordering::is_ge),
        }
    }
}

fn text<'e>(found: &Found<'e>) -> Option<&'e str> {
    match found {
        Found::Text(text) => Some(text),
        Found::Json(value) => value.as_str(),
        _ => None,
    }
}

fn both<'a>(found: &Found<'a>, literal: &'a Literal) -> Option<(&'a str, &'a str)> {
    match literal {
        Literal::Json(part) => text(found).zip(part.as_str()),
        _ => None,
    }
}

fn equal(found: &Found<'_>, literal: &Literal) -> bool {
    compare(found, literal) == Some(Ordering::Equal)
}

/// `None` when the two are of different kinds.
fn compare(found: &Found<'_>, literal: &Literal) -> Option<Ordering> {
    match (found, literal) {
        (Found::Priority(a), Literal::Priority(b)) => Some(a.cmp(b)),
        (Found::Time(a), Literal::Time(b)) => Some(a.cmp(b)),
        (Found::Id(a), Literal::Id(b)) => Some(a.cmp(b)),
        (Found::Seq(a), Literal::Json(Value::Number(b))) => compare_numbers(&Number::from(*a), b),
        (Found::Json(Value::Number(a)), Literal::Json(Value::Number(b))) => compare_numbers(a, b),
        (Found::Json(Value::Bool(a)), Literal::Json(Value::Bool(b))) => Some(a.cmp(b)),
        (Found::Json(Value::Null), Literal::Json(Value::Null)) => Some(Ordering::Equal),
        _ => both(found, literal).map(|(a, b)| a.cmp(b)),
    }
}

/// Whole numbers exactly, others as 64-bit floats.
fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |it: &Number| it.as_u64().map(i128::from).or_else(|| it.as_i64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}
