//! From text to an expression. Owns the grammar's rules, the limits, and saying where a text goes wrong.

use serde_json::{Number, Value};
use uuid::Uuid;

use super::{Comparison, Expression, Field, InvalidCondition, Literal, Relation, Step};

const MOST_BYTES: usize = 2048;
const MOST_COMPARISONS: usize = 64;
const MOST_DEPTH: usize = 32;

/// The longer ones first.
const RELATIONS: [(&str, Relation); 6] = [
    ("==", Relation::Equal),
    ("!=", Relation::NotEqual),
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Less),
    (">", Relation::Greater),
];

type Parsed<T> = Result<T, InvalidCondition>;

pub(super) fn parse(text: &str) -> Parsed<Expression> {
    if text.len() > MOST_BYTES {
        return wrong(
            text.floor_char_boundary(MOST_BYTES),
            format!("it is too long: {MOST_BYTES} bytes at most"),
        );
    }
    let mut parser = Parser { text, at: 0, depth: 0, comparisons: 0 };
    let expression = parser.any()?;
    if parser.at < text.len() {
        return wrong(parser.at, "expected `and`, `or` or the end");
    }
    Ok(expression)
}

fn wrong<T>(at: usize, reason: impl Into<String>) -> Parsed<T> {
    Err(InvalidCondition { at, reason: reason.into() })
}

/// Each rule leaves `at` behind the space that follows it.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    comparisons: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// The word that stands here, perhaps an empty one.
    fn word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '-')));
        &rest[..end.unwrap_or(rest.len())]
    }

    fn take_word(&mut self, word: &str) -> bool {
        let here = self.word() == word;
        if here {
            self.skip(word.len());
        }
        here
    }

    fn take(&mut self, sign: &str) -> bool {
        let here = self.rest().starts_with(sign);
        if here {
            self.skip(sign.len());
        }
        here
    }

    fn expect(&mut self, sign: &str, reason: &str) -> Parsed<()> {
        if self.take(sign) { Ok(()) } else { wrong(self.at, reason) }
    }

    fn any(&mut self) -> Parsed<Expression> {
        self.skip(0);
        let mut all = vec![self.all()?];
        while self.take_word("or") {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Expression::Any(all) })
    }

    fn all(&mut self) -> Parsed<Expression> {
        let mut all = vec![self.single()?];
        while self.take_word("and") {
            all.push(self.single()?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Expression::All(all) })
    }

    fn single(&mut self) -> Parsed<Expression> {
        let start = self.at;
        if self.take_word("not") {
            return self.deeper(start, |it| Ok(Expression::Not(Box::new(it.single()?))));
        }
        if self.take("(") {
            return self.deeper(start, |it| {
                let inner = it.any()?;
                it.expect(")", "expected `and`, `or` or the `)` of what was opened before")?;
                Ok(inner)
            });
        }
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            return wrong(start, format!("there are too many comparisons: {MOST_COMPARISONS} at most"));
        }
        if self.take_word("exists") {
            return Ok(Expression::Exists(self.field()?));
        }
        let field = self.field()?;
        let comparison = self.comparison(&field)?;
        Ok(Expression::Compare(field, comparison))
    }

    fn deeper(
        &mut self,
        start: usize,
        inside: impl FnOnce(&mut Self) -> Parsed<Expression>,
    ) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            let reason = "`not` and parentheses are nested too deep";
            return wrong(start, format!("{reason}: {MOST_DEPTH} at most"));
        }
        let expression = inside(self)?;
        self.depth -= 1;
        Ok(expression)
    }

    fn field(&mut self) -> Parsed<Field> {
        let start = self.at;
        let word = self.word();
        self.skip(word.len());
        Ok(match word {
            "name" => Field::Name,
            "id" => Field::Id,
            "seq" => Field::Seq,
            "priority" => Field::Priority,
            "payload" => Field::Payload(self.path()?),
            "context" => self.context()?,
            _ => {
                return wrong(
                    start,
                    "expected a field: `name`, `id`, `seq`, `priority`, `payload` or `context`",
                );
            }
        })
    }

    fn context(&mut self) -> Parsed<Field> {
        const FIELDS: &str = "`source_plugin`, `correlation_id`, `causation_id`, `timestamp` or `metadata`";
        self.expect(".", &format!("expected `.` and one of {FIELDS}"))?;
        let start = self.at;
        let word = self.word();
        self.skip(word.len());
        Ok(match word {
            "source_plugin" => Field::Source,
            "correlation_id" => Field::CorrelationId,
            "causation_id" => Field::CausationId,
            "timestamp" => Field::Timestamp,
            "metadata" => {
                let at = self.at;
                let path = self.path()?;
                if !matches!(path.first(), Some(Step::Key(_))) {
                    return wrong(at, "expected `.` and the name of a field of the metadata");
                }
                Field::Metadata(path)
            }
            _ => return wrong(start, format!("expected one of {FIELDS}")),
        })
    }

    fn path(&mut self) -> Parsed<Vec<Step>> {
        let mut path = Vec::new();
        loop {
            if self.take(".") {
                let word = self.word();
                if word.is_empty() {
                    return wrong(self.at, "expected the name of a field; other names are written [\"so\"]");
                }
                self.skip(word.len());
                path.push(Step::Key(word.to_owned()));
            } else if self.take("[") {
                let start = self.at;
                path.push(match self.literal()? {
                    Value::String(key) => Step::Key(key),
                    Value::Number(number) => match number.as_u64().and_then(|it| usize::try_from(it).ok()) {
                        Some(index) => Step::Index(index),
                        None => return wrong(start, "expected a place in a list, from 0"),
                    },
                    _ => return wrong(start, "expected a place in a list, from 0, or the name of a field"),
                });
                self.expect("]", "expected `]`")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn comparison(&mut self, field: &Field) -> Parsed<Comparison> {
        let start = self.at;
        if let Some((sign, relation)) = RELATIONS.into_iter().find(|it| self.rest().starts_with(it.0)) {
            self.skip(sign.len());
            let at = self.at;
            let literal = self.literal_for(field)?;
            let ordered = matches!(relation, Relation::Equal | Relation::NotEqual);
            if !ordered && matches!(literal, Literal::Json(Value::Bool(_) | Value::Null)) {
                return wrong(at, "expected a number or a string: only they have an order");
            }
            return Ok(Comparison::Is(relation, literal));
        }
        let word = self.word();
        self.skip(word.len());
        let text = matches!(field, Field::Name | Field::Source | Field::Payload(_) | Field::Metadata(_));
        match word {
            "in" => self.list(field),
            "contains" if text => Ok(Comparison::Contains(self.literal_for(field)?)),
            "starts_with" if text => Ok(Comparison::StartsWith(self.string()?)),
            "ends_with" if text => Ok(Comparison::EndsWith(self.string()?)),
            "contains" | "starts_with" | "ends_with" => {
                wrong(start, format!("expected a comparison such as ==: `{word}` is for text and lists"))
            }
            _ => wrong(start, "expected a comparison such as =="),
        }
    }

    fn list(&mut self, field: &Field) -> Parsed<Comparison> {
        self.expect("[", "expected `[`")?;
        let mut literals = vec![self.literal_for(field)?];
        while self.take(",") {
            literals.push(self.literal_for(field)?);
        }
        self.expect("]", "expected `,` or `]`")?;
        Ok(Comparison::In(literals))
    }

    /// A literal that `field` can be compared with.
    fn literal_for(&mut self, field: &Field) -> Parsed<Literal> {
        let start = self.at;
        let expected = |what: &str| InvalidCondition { at: start, reason: format!("expected {what}") };
        Ok(match field {
            Field::Payload(_) | Field::Metadata(_) => Literal::Json(self.literal()?),
            Field::Name | Field::Source => Literal::Json(Value::String(self.string()?)),
            Field::Seq => match self.literal()? {
                number @ Value::Number(_) => Literal::Json(number),
                _ => return Err(expected("a number")),
            },
            Field::Priority => {
                let priority = serde_json::from_value(Value::String(self.string()?));
                Literal::Priority(priority.map_err(|_| expected(r#""low", "normal", "high" or "critical""#))?)
            }
            Field::Timestamp => {
                let time = self.string()?.parse();
                Literal::Time(time.map_err(|_| expected(r#"a time such as "2026-01-01T00:00:00Z""#))?)
            }
            Field::Id | Field::CorrelationId | Field::CausationId => {
                let id = Uuid::parse_str(&self.string()?);
                Literal::Id(id.map_err(|_| expected("a UUID"))?)
            }
        })
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        match self.literal()? {
            Value::String(text) => Ok(text),
            _ => wrong(start, "expected a string"),
        }
    }

    fn literal(&mut self) -> Parsed<Value> {
        let (start, rest) = (self.at, self.rest());
        if let Some(inside) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inside.bytes().position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            let Some(end) = end else {
                return wrong(self.text.len(), "expected the `\"` that ends the string");
            };
            let string = serde_json::from_str(&rest[..end + 2]).map(Value::String);
            self.skip(end + 2);
            return string.or_else(|_| wrong(start, "expected a string as in JSON"));
        }
        if rest.starts_with(|it: char| it.is_ascii_digit() || it == '-') {
            let end = rest.find(|it: char| !matches!(it, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
            let number = &rest[..end.unwrap_or(rest.len())];
            self.skip(number.len());
            return match serde_json::from_str::<Number>(number) {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => wrong(start, "expected a number as in JSON"),
            };
        }
        let word = self.word();
        self.skip(word.len());
        match word {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => wrong(start, "expected a literal: a string, a number, `true`, `false` or `null`"),
        }
    }
}
