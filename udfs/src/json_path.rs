//! JSON paths as Flink's JSON functions take them: `lax $.a['b'][0]`, `$.a[*].b`, `$..a`; without a mode word, strict.

use datafusion::common::{Result, not_impl_err};

use crate::json_text::Json;

/// A path, read once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// What goes wrong is as if nothing was there.
    pub lax: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// `.name`, `['name']`
    Name(String),
    /// `[n]`, from the end where it is negative.
    Index(i64),
    /// `[a, b]`
    Indices(Vec<i64>),
    /// `[from:to]`
    Slice(Option<i64>, Option<i64>),
    /// `.*`, `[*]`
    All,
    /// `..`: the value and all within it.
    Deep,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a, 'j> {
    /// One value.
    One(&'a Json<'j>),
    /// The values that a path with `*`, `..` or several indices leads to: as good as an array.
    Many(Vec<&'a Json<'j>>),
    Nothing,
}

impl Path {
    /// Reads a path; None if it is none, which the functions take for an error in the data.
    ///
    /// # Errors
    /// Where it has a filter or a function: these are not supported.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let mut text = text.trim_start();
        let mut lax = false;
        for word in ["lax", "strict"] {
            let (mode, rest) = text.split_at_checked(word.len()).unwrap_or_default();
            if mode.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace) {
                lax = word == "lax";
                text = rest.trim_start();
                break;
            }
        }
        let whole = text.trim_end();
        let mut rest = match whole.strip_prefix('$') {
            Some(rest) => rest.to_string(),
            // As if `$.` stood before it.
            None if whole.starts_with('[') => whole.to_string(),
            None => format!(".{whole}"),
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            match step(&rest)? {
                Some((step, behind)) => {
                    steps.push(step);
                    rest = rest[behind..].to_string();
                }
                None => return Ok(None),
            }
        }
        let ends_well = !matches!(steps.last(), Some(Step::Deep));
        Ok(ends_well.then_some(Self { lax, steps }))
    }

    /// What it leads to from the root of a document.
    pub fn find<'a, 'j>(&self, root: &'a Json<'j>) -> Found<'a, 'j> {
        let mut found = vec![root];
        let mut definite = true;
        for step in &self.steps {
            // In a strict path the value before the first `*` must be of the kind that the step asks for.
            if definite && !self.lax && !found.iter().all(|value| step.fits(value)) {
                return Found::Nothing;
            }
            definite &= step.is_definite();
            let mut next = Vec::new();
            for value in found {
                step.follow(value, &mut next);
            }
            found = next;
        }
        match found.as_slice() {
            [one] if definite => Found::One(one),
            _ if definite => Found::Nothing,
            _ => Found::Many(found),
        }
    }
}

impl Step {
    /// Whether it leads to one value at most.
    fn is_definite(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Index(_))
    }

    /// Whether the value is one that the step can be taken from.
    fn fits(&self, value: &Json) -> bool {
        match self {
            Self::Name(name) => value.get(name).is_some(),
            Self::Index(_) | Self::Indices(_) | Self::Slice(..) => matches!(value, Json::Array(_)),
            Self::All | Self::Deep => true,
        }
    }

    fn follow<'a, 'j>(&self, value: &'a Json<'j>, out: &mut Vec<&'a Json<'j>>) {
        match (self, value) {
            (Self::Name(name), value) => out.extend(value.get(name)),
            (Self::Index(index), Json::Array(values)) => out.extend(at(values, *index)),
            (Self::Indices(indices), Json::Array(values)) => {
                out.extend(indices.iter().filter_map(|i| at(values, *i)));
            }
            (Self::Slice(from, to), Json::Array(values)) => {
                let length = values.len() as i64;
                let place = |i: i64| {
                    if i < 0 {
                        (length + i).max(0)
                    } else {
                        i.min(length)
                    }
                };
                let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(length)));
                if from < to {
                    out.extend(&values[from as usize..to as usize]);
                }
            }
            (Self::All, Json::Array(values)) => out.extend(values),
            (Self::All, Json::Object(entries)) => out.extend(entries.iter().map(|(_, v)| v)),
            (Self::Deep, value) => {
                out.push(value);
                match value {
                    Json::Array(values) => values.iter().for_each(|v| self.follow(v, out)),
                    Json::Object(entries) => entries.iter().for_each(|(_, v)| self.follow(v, out)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn at<'a, 'j>(values: &'a [Json<'j>], index: i64) -> Option<&'a Json<'j>> {
    let index = if index < 0 {
        values.len() as i64 + index
    } else {
        index
    };
    usize::try_from(index).ok().and_then(|i| values.get(i))
}

/// The step at the beginning of a text and where it ends; None if there is none.
fn step(text: &str) -> Result<Option<(Step, usize)>> {
    if let Some(rest) = text.strip_prefix("..") {
        let goes_on = !rest.is_empty() && !rest.starts_with('.');
        // The dot of the step after it, or none before a bracket.
        let width = if rest.starts_with('[') { 2 } else { 1 };
        return Ok(goes_on.then_some((Step::Deep, width)));
    }
    if let Some(rest) = text.strip_prefix('.') {
        if rest.starts_with('[') {
            return Ok(bracket(rest)?.map(|(step, width)| (step, width + 1)));
        }
        let width = rest.find(['.', '[', '(', ' ']).unwrap_or(rest.len());
        let name = &rest[..width];
        return match (name, rest[width..].chars().next()) {
            ("", _) | (_, Some(' ')) => Ok(None),
            (_, Some('(')) => {
                not_impl_err!("a JSON path with the function {name}() is not supported")
            }
            ("*", _) => Ok(Some((Step::All, 2))),
            _ => Ok(Some((Step::Name(name.into()), width + 1))),
        };
    }
    if text.starts_with('[') {
        return bracket(text);
    }
    Ok(None)
}

/// `[...]`
fn bracket(text: &str) -> Result<Option<(Step, usize)>> {
    let inner = text[1..].trim_start();
    if inner.starts_with('?') {
        return not_impl_err!("a JSON path with a filter [?...] is not supported");
    }
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let mut name = String::new();
        let mut escaped = false;
        for (at, c) in inner.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    name.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    let behind = inner[at + 1..].trim_start();
                    if behind.starts_with(',') {
                        return not_impl_err!(
                            "a JSON path with several names in one [...] is not supported"
                        );
                    }
                    let end = text.len() - behind.len() + 1;
                    return Ok(behind.starts_with(']').then_some((Step::Name(name), end)));
                }
                c => name.push(c),
            }
        }
        return Ok(None);
    }
    let Some(end) = text.find(']') else {
        return Ok(None);
    };
    let inner = text[1..end].trim();
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let step = if inner == "*" {
        Some(Step::All)
    } else if let Some((from, to)) = inner.split_once(':') {
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            text => number(text).map(Some),
        };
        match (bound(from), bound(to)) {
            (Some(None), Some(None)) => None,
            (Some(from), Some(to)) => Some(Step::Slice(from, to)),
            _ => None,
        }
    } else if inner.contains(',') {
        let indices: Option<Vec<i64>> = inner.split(',').map(number).collect();
        indices.map(Step::Indices)
    } else {
        number(inner).map(Step::Index)
    };
    Ok(step.map(|step| (step, end + 1)))
}
