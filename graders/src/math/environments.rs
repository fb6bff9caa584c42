//! The parser's environments: matrices, determinants, cases and aligned lines.

use super::expr::{Expr, Join, Value};
use super::lexer::Token;
use super::matrix;
use super::parser::{MAX_ITEMS, Parser, expr};

impl Parser<'_, '_> {
    /// What stands between `\begin{environment}` and its end.
    pub(super) fn environment(&mut self, environment: &str) -> Option<Value> {
        self.environments += 1;
        let rows = self.without_bars(Self::rows);
        self.environments -= 1;
        let rows = rows?;
        let Some(Token::End(end)) = self.peek() else { return None };
        if *end != environment {
            return None;
        }
        self.at += 1;
        match environment {
            "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix" | "psmallmatrix"
            | "bsmallmatrix" => grid(rows).map(Value::Matrix),
            "vmatrix" | "Vmatrix" => matrix::determinant(&grid(rows)?).map(Value::Expr),
            "array" | "tabular" if rows.iter().flatten().all(|cell| matches!(cell, Value::Expr(_))) => {
                grid(rows).map(Value::Matrix)
            }
            "cases" | "dcases" | "rcases" | "array" | "tabular" => cases(rows),
            "aligned" | "align" | "align*" | "gathered" | "gather" | "gather*" | "split" | "alignedat"
            | "multline" | "multline*" | "flalign" => {
                let lines = rows.into_iter().map(joined).collect::<Option<Vec<_>>>()?;
                several(lines, Join::Comma)
            }
            _ => None,
        }
    }

    fn rows(&mut self) -> Option<Vec<Vec<Value>>> {
        let mut rows = vec![Vec::new()];
        let mut count = 0;
        loop {
            match self.peek()? {
                Token::End(_) => break,
                Token::Mark('&') => {
                    self.at += 1;
                    continue;
                }
                Token::Row => {
                    self.at += 1;
                    rows.push(Vec::new());
                    continue;
                }
                _ => {}
            }
            let cell = self.cell()?;
            rows.last_mut()?.push(cell);
            count += 1;
            if count > MAX_ITEMS * MAX_ITEMS || rows.len() > MAX_ITEMS {
                return None;
            }
            // Commas at the end of a line of cases.
            while matches!(self.peek()?, Token::Mark(',' | ';') | Token::Wide) {
                self.at += 1;
            }
        }
        rows.retain(|row| !row.is_empty());
        Some(rows)
    }

    /// A value, a relation that may start without a left side (`&= 2`), or a condition in words.
    fn cell(&mut self) -> Option<Value> {
        if let Some(Token::Words(words)) = self.peek() {
            let word = words.trim().to_lowercase();
            let word = word.trim_end_matches(',');
            if matches!(word, "otherwise" | "else" | "elsewhere" | "in other cases") {
                self.at += 1;
                return Some(Value::Text("otherwise".to_owned()));
            }
            if matches!(word, "if" | "for" | "when" | "where" | "for all" | "as" | "and") {
                self.at += 1;
            }
        }
        let open = matches!(self.peek(), Some(Token::Relation(_)));
        let first = if open { Some(Value::Expr(Expr::Variable("\\left".into()))) } else { None };
        let Some(first) = first else {
            let value = self.list()?;
            self.condition_words();
            return Some(value);
        };
        let mut sides = vec![first];
        let mut relations = Vec::new();
        while let Some(Token::Relation(relation)) = self.peek() {
            self.at += 1;
            relations.push(*relation);
            sides.push(self.sum()?);
        }
        let sides = sides.into_iter().map(expr).collect::<Option<Vec<_>>>()?;
        Some(Value::Chain { sides, relations })
    }

    /// `x+1, \text{ if } x > 0` on one line without `&`: passes the word.
    fn condition_words(&mut self) {
        if let Some(Token::Words(words)) = self.peek()
            && matches!(words.trim(), "if" | "for" | "when")
        {
            self.at += 1;
        }
    }
}

/// Rows of the same length, all expressions.
fn grid(rows: Vec<Vec<Value>>) -> Option<Vec<Vec<Expr>>> {
    let width = rows.first()?.len();
    if rows.iter().any(|row| row.len() != width) || width > MAX_ITEMS {
        return None;
    }
    rows.into_iter().map(|row| row.into_iter().map(expr).collect()).collect()
}

/// The cells of an aligned line as one relation: `x &= 1`.
fn joined(row: Vec<Value>) -> Option<Value> {
    let mut cells = row.into_iter();
    let first = cells.next()?;
    cells.try_fold(first, |left, right| match (left, right) {
        (Value::Expr(left), Value::Chain { mut sides, relations })
            if sides.first() == Some(&Expr::Variable("\\left".into())) =>
        {
            *sides.first_mut()? = left;
            Some(Value::Chain { sides, relations })
        }
        _ => None,
    })
}

/// Lines that belong together; one line is itself.
fn several(mut lines: Vec<Value>, join: Join) -> Option<Value> {
    if lines.len() == 1 { lines.pop() } else { Some(Value::List(lines, join)) }
}

/// Values with conditions, or relations that hold together.
fn cases(rows: Vec<Vec<Value>>) -> Option<Value> {
    let is_relation = |value: &Value| {
        matches!(
            value,
            Value::Chain { .. } | Value::Element(..) | Value::Congruence { .. } | Value::Named(..)
        )
    };
    if rows.iter().all(|row| row.len() == 1 || matches!(row.get(1), Some(Value::Chain { sides, .. }) if sides.first() == Some(&Expr::Variable("\\left".into()))))
    {
        let lines = rows.into_iter().map(joined).collect::<Option<Vec<_>>>()?;
        if lines.iter().all(is_relation) {
            return Some(Value::System(lines));
        }
        // `0, x < 1` on one line.
        let branches = lines.into_iter().map(|line| match line {
            Value::List(mut items, _) if items.len() == 2 => {
                let condition = items.pop()?;
                branch(items.pop()?, Some(condition))
            }
            other => branch(other, None),
        });
        return branches.collect::<Option<Vec<_>>>().map(Value::Piecewise);
    }
    let branches = rows.into_iter().map(|row| {
        let mut cells = row.into_iter();
        let value = cells.next()?;
        let condition = cells.next();
        if cells.next().is_some() { None } else { branch(value, condition) }
    });
    branches.collect::<Option<Vec<_>>>().map(Value::Piecewise)
}

fn branch(value: Value, condition: Option<Value>) -> Option<(Expr, Option<Box<Value>>)> {
    let condition = match condition {
        Some(Value::Text(words)) if words == "otherwise" => None,
        other => other.map(Box::new),
    };
    Some((expr(value)?, condition))
}
