//! Columns: rows of one kind that stand together have their arrows, equal signs and policies below one another.

/// Values longer than this do not push the policies of the other rules to the right.
const WIDE: usize = 60;

/// What a row is, which decides its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// target, arrow, value, policies
    Rule,
    /// option, arrow, option
    Translation,
    /// `on` with the situation, action; in a `convert` a word, value, policy
    Outcome,
    /// `with` or `let`, name, the rest
    Binding,
    /// word, the rest
    Words,
    /// No columns.
    Plain,
}

/// A line that may have columns.
#[derive(Debug)]
pub(super) struct Row {
    /// Which columns.
    pub(super) kind: RowKind,
    /// Their texts.
    pub(super) cells: Vec<String>,
}

/// Writes rows that stand together.
pub(super) fn align(rows: &[&Row]) -> Vec<String> {
    let kinds = [RowKind::Rule, RowKind::Translation, RowKind::Outcome, RowKind::Binding, RowKind::Words];
    let columns: Vec<_> = kinds.iter().map(|kind| (*kind, widths(*kind, rows))).collect();
    let plain = (RowKind::Plain, Columns::default());
    rows.iter()
        .map(|row| {
            let (_, columns) = columns.iter().find(|(kind, _)| *kind == row.kind).unwrap_or(&plain);
            write(row, columns)
        })
        .collect()
}

#[derive(Default)]
struct Columns {
    widths: Vec<usize>,
    /// Arrows take three characters, as `<->` is among them.
    long_arrows: bool,
    /// The gap before the last column.
    gap: usize,
}

fn widths(kind: RowKind, rows: &[&Row]) -> Columns {
    let rows: Vec<_> = rows.iter().filter(|row| row.kind == kind).collect();
    let mut widths = Vec::new();
    for row in &rows {
        for (column, cell) in row.cells.iter().enumerate() {
            let followed = row.cells[column + 1..].iter().any(|cell| !cell.is_empty());
            let width = cell.chars().count();
            let is_value = matches!((kind, column), (RowKind::Rule, 2) | (RowKind::Outcome, 1));
            let counts = followed && !(is_value && width > WIDE);
            if widths.len() <= column {
                widths.push(0);
            }
            if counts {
                widths[column] = widths[column].max(width);
            }
        }
    }
    let arrows = matches!(kind, RowKind::Rule | RowKind::Translation);
    let long_arrows = arrows && rows.iter().any(|row| row.cells.get(1).is_some_and(|arrow| arrow == "<->"));
    let gap = if kind == RowKind::Outcome && rows.len() > 1 { 2 } else { 1 };
    Columns { widths, long_arrows, gap }
}

fn write(row: &Row, columns: &Columns) -> String {
    let mut line = String::new();
    for (column, cell) in row.cells.iter().enumerate() {
        if column > 0 && !cell.is_empty() {
            let policies = row.kind == RowKind::Rule && column == 3;
            line.push_str(if policies || columns.gap == 2 { "  " } else { " " });
        }
        let start = line.chars().count();
        match cell.as_str() {
            "->" if columns.long_arrows && column == 1 => line.push_str(" ->"),
            cell => line.push_str(cell),
        }
        let width = columns.widths.get(column).copied().unwrap_or(0);
        let written = line.chars().count() - start;
        if row.cells[column + 1..].iter().any(|cell| !cell.is_empty()) {
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(written)));
        }
    }
    line
}
