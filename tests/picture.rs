// SPDX-License-Identifier: MIT OR Apache-2.0
//! The README's picture keeps its columns wherever it is shown.

use roxmltree::{Document, Node};

/// From where to where each stretch of a line goes, in pixels.
fn stretches<'a>(line: Node<'a, '_>) -> Vec<(f64, f64, &'a str)> {
    let number = |node: Node<'_, '_>, name| node.attribute(name).and_then(|n| n.parse().ok());
    let stretch = |node: Node<'a, '_>| {
        let x: f64 = number(node, "x").expect("a place of its own");
        let length: f64 = number(node, "textLength").expect("a length of its own");
        (x, x + length, node.text().expect("text"))
    };
    line.children().map(stretch).collect()
}

/// Browsers collapse blanks in an SVG, and each has a font of its own: neither may move a column.
#[test]
fn each_column_has_its_place() {
    let picture = Document::parse(include_str!("../docs/terminal.svg")).expect("well-formed");
    let lines = picture.descendants().filter(|node| node.has_tag_name("text"));
    let lines: Vec<_> = lines.map(stretches).collect();
    for line in &lines {
        for (from, to, text) in line {
            assert!(!text.contains("  ") && text.trim() == *text, "blanks would collapse: {text}");
            let column = (to - from) / text.chars().count() as f64;
            assert!((column - 7.9).abs() < 0.1, "{text}: columns of {column} pixels");
        }
        assert!(line.windows(2).all(|pair| pair[0].1 < pair[1].0), "{line:?}");
    }
    let header = lines.iter().find(|line| line[0].2 == "TIME").expect("the table's header");
    let (at, _, name) = *header.last().expect("columns");
    assert_eq!(name, "COMMAND");
    let rows = lines.iter().filter(|line| line[0].2.matches(':').count() == 2);
    let commands: Vec<_> = rows.filter_map(|row| row.last()).collect();
    assert!(commands.len() > 9 && commands.iter().all(|command| command.0 == at));
}
