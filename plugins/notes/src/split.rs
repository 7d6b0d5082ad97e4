//! Cuts a long meeting into parts that fit a model. Owns the estimate of tokens and the cuts: nothing is lost,
//! order stays, each part fits.

use crate::Line;

/// Tokens that a line costs beside its words: colon, line break, and what a tokenizer does at the seams.
const LINE_COST: usize = 4;

/// An upper estimate of how many tokens a text has for any of the usual models.
///
/// Byte pair encodings of language models have about 4 letters of English in a token (OpenAI's rule of thumb;
/// Llama 3's vocabulary is of the same size). Counted here are 3 bytes of letters, every digit and every sign
/// on its own, so that a box never fills the context further than it thinks.
pub fn tokens(text: &str) -> usize {
    let (mut total, mut letters) = (0, 0);
    for it in text.chars() {
        if it.is_alphabetic() {
            letters += it.len_utf8();
            continue;
        }
        total += usize::div_ceil(letters, 3);
        letters = 0;
        if !it.is_whitespace() || it == '\n' {
            total += it.len_utf8();
        }
    }
    total + letters.div_ceil(3)
}

/// What a line costs in a prompt, tokens.
pub(crate) fn cost(line: &Line) -> usize {
    LINE_COST + line.speaker.as_deref().map_or(0, tokens) + tokens(&line.text)
}

/// Parts of at most `budget` tokens each, in order. A line that is too long for a part of its own is cut
/// between words, a word that is too long between characters. A budget without room for a label and one
/// character gives parts of one such line each.
pub(crate) fn split(lines: &[Line], budget: usize) -> Vec<Vec<Line>> {
    let (mut parts, mut part, mut used) = (Vec::new(), Vec::new(), 0);
    for line in lines.iter().flat_map(|it| cut(it, budget)) {
        let cost = cost(&line);
        if used + cost > budget && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        used += cost;
        part.push(line);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

fn cut(line: &Line, budget: usize) -> Vec<Line> {
    if cost(line) <= budget {
        return vec![line.clone()];
    }
    let room = budget.saturating_sub(LINE_COST + line.speaker.as_deref().map_or(0, tokens)).max(1);
    let (mut pieces, mut piece, mut used) = (Vec::new(), String::new(), 0);
    for word in line.text.split(' ') {
        // Behind a space a word is counted on its own: counts add up.
        let cost = tokens(word);
        if used + cost > room && !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
            used = 0;
        }
        if !piece.is_empty() {
            piece.push(' ');
        }
        if cost <= room {
            piece += word;
            used += cost;
            continue;
        }
        for letter in word.chars() {
            piece.push(letter);
            if tokens(&piece) > room && piece.chars().count() > 1 {
                piece.pop();
                pieces.push(std::mem::replace(&mut piece, letter.to_string()));
            }
        }
        used = tokens(&piece);
    }
    pieces.push(piece);
    pieces.into_iter().map(|text| Line { text, ..line.clone() }).collect()
}
