//! Conditions against their own printed form and an evaluator that is as simple as can be.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::json;

use super::super::*;
use crate::EventContext;

/// What a text says, written again.
fn print(expression: &Expression) -> String {
    let inside = |it: &Expression, loose: bool| match it {
        Expression::Any(_) => format!("({})", print(it)),
        Expression::All(_) if !loose => format!("({})", print(it)),
        _ => print(it),
    };
    let join = |all: &[Expression], word: &str, loose| {
        all.iter().map(|it| inside(it, loose)).collect::<Vec<_>>().join(word)
    };
    match expression {
        Expression::Any(all) => join(all, " or ", true),
        Expression::All(all) => join(all, " and ", false),
        Expression::Not(inner) => format!("not {}", inside(inner, false)),
        Expression::Exists(field) => format!("exists {}", print_field(field)),
        Expression::Compare(field, comparison) => {
            let comparison = match comparison {
                Comparison::Is(relation, it) => {
                    let sign = match relation {
                        Relation::Equal => "==",
                        Relation::NotEqual => "!=",
                        Relation::Less => "<",
                        Relation::AtMost => "<=",
                        Relation::Greater => ">",
                        Relation::AtLeast => ">=",
                    };
                    format!("{sign} {}", plain(it))
                }
                Comparison::In(all) => {
                    let all: Vec<_> = all.iter().map(|it| plain(it).to_string()).collect();
                    format!("in [{}]", all.join(", "))
                }
                Comparison::Contains(it) => format!("contains {}", plain(it)),
                Comparison::StartsWith(it) => format!("starts_with {}", json!(it)),
                Comparison::EndsWith(it) => format!("ends_with {}", json!(it)),
            };
            format!("{} {comparison}", print_field(field))
        }
    }
}

fn plain(literal: &Literal) -> Value {
    match literal {
        Literal::Json(value) => value.clone(),
        Literal::Priority(priority) => json!(priority),
        Literal::Time(time) => json!(time),
        Literal::Id(id) => json!(id),
    }
}

fn print_path(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) if !key.is_empty() && key.chars().all(|it| it.is_ascii_alphanumeric()) => {
            format!(".{key}")
        }
        Step::Key(key) => format!("[{}]", json!(key)),
        Step::Index(index) => format!("[{index}]"),
    };
    path.iter().map(step).collect()
}

fn print_field(field: &Field) -> String {
    match field {
        Field::Name => "name".into(),
        Field::Id => "id".into(),
        Field::Seq => "seq".into(),
        Field::Priority => "priority".into(),
        Field::Source => "context.source_plugin".into(),
        Field::CorrelationId => "context.correlation_id".into(),
        Field::CausationId => "context.causation_id".into(),
        Field::Timestamp => "context.timestamp".into(),
        Field::Payload(path) => format!("payload{}", print_path(path)),
        Field::Metadata(path) => format!("context.metadata{}", print_path(path)),
    }
}

/// The field in the event's JSON.
fn look_up(field: &Field, event: &Event) -> Option<Value> {
    let mut value = json!(event);
    let (words, path): (String, &[Step]) = match field {
        Field::Payload(path) => ("payload".into(), path),
        Field::Metadata(path) => ("context.metadata".into(), path),
        other => (print_field(other), &[]),
    };
    for word in words.split('.') {
        value = value[word].take();
    }
    if value.is_null() && matches!(field, Field::Source | Field::CausationId) {
        return None;
    }
    for step in path {
        value = match step {
            Step::Key(key) => value.get(key)?.clone(),
            Step::Index(index) => value.get(index)?.clone(),
        };
    }
    Some(value)
}

fn naive(expression: &Expression, event: &Event) -> bool {
    let (field, comparison) = match expression {
        Expression::Any(all) => return all.iter().filter(|it| naive(it, event)).count() > 0,
        Expression::All(all) => return all.iter().filter(|it| naive(it, event)).count() == all.len(),
        Expression::Not(inner) => return !naive(inner, event),
        Expression::Exists(field) => return look_up(field, event).is_some(),
        Expression::Compare(field, comparison) => (field, comparison),
    };
    let order = |a: &Value, b: &Value| match (field, a, b) {
        (Field::Priority, a, b) => {
            let rank = |it: &Value| ["low", "normal", "high", "critical"].iter().position(|word| it == word);
            rank(a).partial_cmp(&rank(b))
        }
        (Field::Timestamp, Value::String(a), Value::String(b)) => {
            let time = |it: &str| it.parse::<Timestamp>().unwrap().as_nanosecond();
            time(a).partial_cmp(&time(b))
        }
        (_, Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (_, Value::String(a), Value::String(b)) => a.partial_cmp(b),
        (_, a, b) => (a == b).then_some(Ordering::Equal),
    };
    let found = look_up(field, event);
    let is = |literal: &Literal| found.as_ref().and_then(|it| order(it, &plain(literal)));
    let text = found.as_ref().and_then(Value::as_str);
    match comparison {
        Comparison::Is(relation, literal) => match (relation, is(literal)) {
            (Relation::NotEqual, order) => order != Some(Ordering::Equal),
            (_, None) => false,
            (Relation::Equal, Some(order)) => order.is_eq(),
            (Relation::Less, Some(order)) => order.is_lt(),
            (Relation::AtMost, Some(order)) => order.is_le(),
            (Relation::Greater, Some(order)) => order.is_gt(),
            (Relation::AtLeast, Some(order)) => order.is_ge(),
        },
        Comparison::In(all) => all.iter().any(|it| is(it) == Some(Ordering::Equal)),
        Comparison::Contains(literal) => match (&found, plain(literal)) {
            (Some(Value::Array(items)), literal) => {
                items.iter().any(|it| order(it, &literal) == Some(Ordering::Equal))
            }
            (_, Value::String(part)) => text.is_some_and(|text| text.contains(&part)),
            _ => false,
        },
        Comparison::StartsWith(part) => text.is_some_and(|text| text.starts_with(part)),
        Comparison::EndsWith(part) => text.is_some_and(|text| text.ends_with(part)),
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2..3_i64).prop_map(|it| json!(it)),
        prop::sample::select(vec![json!(0.5), json!(1.0), json!(-1e300)]),
        part().prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ]
}

fn part() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "ab", "a.b", "ö", "\"\\\n"]).prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "and", "0", "b-c", "ä x", ""]).prop_map(str::to_owned)
}

fn json_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

fn priority() -> impl Strategy<Value = Priority> {
    prop::sample::select(vec![Priority::Low, Priority::Normal, Priority::High, Priority::Critical])
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..3_i64, 0..2).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn uuid() -> impl Strategy<Value = Uuid> {
    (0..3_u128).prop_map(Uuid::from_u128)
}

fn path() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => key().prop_map(Step::Key), 1 => (0..3_usize).prop_map(Step::Index)];
    prop::collection::vec(step, 0..3)
}

fn relation() -> impl Strategy<Value = Relation> {
    use Relation::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    prop::sample::select(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast])
}

/// A comparison whose literals are `literal`s; with text also those of text.
fn leaf(
    field: Field,
    literal: impl Strategy<Value = Literal> + Clone + 'static,
    text: bool,
) -> BoxedStrategy<Expression> {
    let ordered = |it: &Literal| !matches!(it, Literal::Json(Value::Null | Value::Bool(_)));
    let is = (relation(), literal.clone()).prop_map(move |(relation, literal)| match relation {
        Relation::Equal | Relation::NotEqual => Comparison::Is(relation, literal),
        _ if ordered(&literal) => Comparison::Is(relation, literal),
        _ => Comparison::Contains(literal),
    });
    let list = prop::collection::vec(literal.clone(), 1..4).prop_map(Comparison::In);
    let texts = prop_oneof![
        literal.prop_map(Comparison::Contains),
        part().prop_map(Comparison::StartsWith),
        part().prop_map(Comparison::EndsWith),
    ];
    let comparison = if text { prop_oneof![is, list, texts].boxed() } else { prop_oneof![is, list].boxed() };
    let exists = field.clone();
    prop_oneof![
        5 => comparison.prop_map(move |it| Expression::Compare(field.clone(), it)),
        1 => Just(Expression::Exists(exists)),
    ]
    .boxed()
}

fn expression() -> impl Strategy<Value = Expression> {
    let text = part().prop_map(|it| Literal::Json(Value::String(it))).boxed();
    let number = (5..9_u64).prop_map(|it| Literal::Json(json!(it))).boxed();
    let id = uuid().prop_map(Literal::Id).boxed();
    let value = scalar().prop_map(Literal::Json).boxed();
    let metadata = value.clone();
    let single = prop_oneof![
        1 => leaf(Field::Name, text.clone(), true),
        1 => leaf(Field::Source, text, true),
        1 => leaf(Field::Seq, number, false),
        1 => leaf(Field::Id, id.clone(), false),
        1 => leaf(Field::CorrelationId, id.clone(), false),
        1 => leaf(Field::CausationId, id, false),
        1 => leaf(Field::Priority, priority().prop_map(Literal::Priority).boxed(), false),
        1 => leaf(Field::Timestamp, time().prop_map(Literal::Time).boxed(), false),
        3 => path().prop_flat_map(move |path| leaf(Field::Payload(path), value.clone(), true)),
        2 => (key(), path()).prop_flat_map(move |(key, mut path)| {
            path.insert(0, Step::Key(key));
            leaf(Field::Metadata(path), metadata.clone(), true)
        }),
    ];
    single.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            inner.prop_map(|it| Expression::Not(Box::new(it))),
        ]
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let ids = (uuid(), uuid(), prop::option::of(uuid()));
    let rest = (prop::option::of(part()), prop::collection::btree_map(key(), json_value(), 0..4));
    (json_value(), ids, time(), rest, priority()).prop_map(|(payload, ids, timestamp, rest, priority)| {
        let context = EventContext {
            correlation_id: ids.1,
            causation_id: ids.2,
            timestamp,
            source_plugin: rest.0,
            metadata: rest.1.into_iter().collect(),
        };
        Event { seq: 7, id: ids.0, name: "a.b".parse().unwrap(), payload, context, priority }
    })
}

/// Pieces of conditions in any order.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = vec![
        "payload",
        "context",
        "metadata",
        "name",
        "seq",
        ".",
        "a",
        "[",
        "]",
        "0",
        "-1",
        "1.5e3",
        "\"a\"",
        "\"",
        "\\",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        ",",
        "contains",
        "not",
        "(",
        ")",
        "and",
        "or",
        "exists",
        "null",
        " ",
        "ä",
        "timestamp",
        "\"2026-01-01T00:00:00Z\"",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..30).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_text_is_a_condition_or_an_error_inside_it(text in prop_oneof!["\\PC*", pieces()]) {
        match Condition::parse(&text) {
            Ok(condition) => prop_assert_eq!(condition.to_string(), text),
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.at), "{error}");
                prop_assert!(!error.reason.is_empty());
            }
        }
    }

    #[test]
    fn what_is_printed_is_understood_as_the_same(expression in expression()) {
        let text = print(&expression);
        prop_assume!(text.len() <= 2048);
        let condition = Condition::parse(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(&condition.expression, &expression);
        let json = serde_json::to_string(&condition).unwrap();
        prop_assert_eq!(serde_json::from_str::<Condition>(&json).unwrap(), condition);
    }

    #[test]
    fn conditions_hold_as_they_should(expression in expression(), event in any_event()) {
        prop_assert_eq!(expression.holds(&event), naive(&expression, &event), "{}", print(&expression));
    }
}
