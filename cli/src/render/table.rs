//! Tables on stdout: no borders, so that they can be cut and grepped.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with that header, as text without trailing spaces.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_table_is_columns_and_nothing_else() {
        let rows = vec![vec!["1".into(), "passed".into()], vec!["12".into(), "failed".into()]];
        insta::assert_snapshot!(super::table(&["build", "status"], rows), @r"
        BUILD  STATUS
        1      passed
        12     failed
        ");
    }
}
