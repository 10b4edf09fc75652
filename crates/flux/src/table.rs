//! Tables with upstream's bytes.
//!
//! Columns are padded with spaces to their widest line and each cell is followed by a tab; the last cell of
//! the header by a space instead. A cell with line breaks makes its row several lines high, with two spaces
//! in the columns that have fewer. Nothing is wrapped or cut.

use unicode_width::UnicodeWidthStr as _;

/// Renders rows under an upper-cased header; an empty header prints none.
pub fn render(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|title| title.to_uppercase()).collect();
    let widths = column_widths(&header, rows);
    let mut text = String::new();
    if let Some((last, rest)) = header.split_last() {
        for (title, width) in rest.iter().zip(&widths) {
            push_padded(&mut text, title, *width);
            text.push('\t');
        }
        push_padded(&mut text, last, widths[header.len() - 1]);
        text.push_str(" \n");
    }
    for row in rows {
        push_row(&mut text, row, &widths);
    }
    text
}

fn column_widths(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).chain([header.len()]).max();
    let mut widths = vec![0; columns.unwrap_or(0)];
    for row in rows.iter().map(Vec::as_slice).chain([header]) {
        for (cell, width) in row.iter().zip(&mut widths) {
            *width = lines(cell)
                .map(|line| line.width())
                .max()
                .unwrap_or(0)
                .max(*width);
        }
    }
    widths
}

/// Splits at line feeds; a line feed at the end makes a last empty line.
fn lines(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('\n')
}

fn push_row(text: &mut String, row: &[String], widths: &[usize]) {
    let cells: Vec<Vec<&str>> = row.iter().map(|cell| lines(cell).collect()).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        for (cell, width) in cells.iter().zip(widths) {
            push_padded(text, cell.get(line).copied().unwrap_or("  "), *width);
            text.push('\t');
        }
        text.push('\n');
    }
}

fn push_padded(text: &mut String, cell: &str, width: usize) {
    text.push_str(cell);
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
}

#[cfg(test)]
mod tests {
    use super::render;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect()
    }

    #[test]
    fn cells_end_with_tabs_and_the_header_with_a_space() {
        let table = render(
            &["Name", "Last scan"],
            &rows(&[&["podinfo", "now"], &["a", "2026-01-01T00:00:00Z"]]),
        );
        assert_eq!(
            table,
            "NAME   \tLAST SCAN            \n\
             podinfo\tnow                 \t\n\
             a      \t2026-01-01T00:00:00Z\t\n"
        );
    }

    #[test]
    fn a_cell_with_line_breaks_makes_its_row_higher() {
        let table = render(&[], &rows(&[&["a", "first\nsecond line"]]));
        assert_eq!(table, "a\tfirst      \t\n  \tsecond line\t\n");
    }
}
