// SPDX-License-Identifier: MIT OR Apache-2.0
//! What keys make a screen show, without a terminal or a trace.

use super::*;

fn top(columns: usize, lines: usize) -> Top {
    Top { size: (columns, lines), ..Top::new(Style::default()) }
}

/// The lines between the head and the foot.
fn body(top: &mut Top) -> Vec<String> {
    let mut out = Vec::new();
    top.draw(&mut out);
    let (columns, lines) = top.size;
    let mut screen = vt100::Parser::new(lines as u16, columns as u16, 0);
    screen.process(&out);
    let rows: Vec<String> = screen.screen().rows(0, columns as u16).collect();
    rows[draw::HEAD..lines - 1].to_vec()
}

fn press(top: &mut Top, key: Key) {
    assert!(top.press(key).is_continue());
}

fn nodes(count: usize) -> Vec<Node> {
    let text = |i| format!("node {i}");
    let node = |i| Node { depth: 0, member: true, recent_ns: None, text: text(i) };
    (1..=count).map(node).collect()
}

#[test]
fn the_help_can_be_read_on_a_short_screen() {
    let mut top = top(80, 12);
    press(&mut top, Key::Char('h'));
    assert_eq!(body(&mut top)[0], HELP[0]);
    press(&mut top, Key::Down);
    assert_eq!(body(&mut top)[1], HELP[2]);
    press(&mut top, Key::End);
    assert_eq!(body(&mut top), HELP[HELP.len() - 7..]);
    press(&mut top, Key::Up);
    assert_eq!(body(&mut top)[6], HELP[HELP.len() - 2]);
    press(&mut top, Key::Escape);
    press(&mut top, Key::Char('h'));
    assert_eq!(body(&mut top)[0], HELP[0], "it begins anew");
}

#[test]
fn what_is_scrolled_fills_the_screen_as_far_as_it_can() {
    let mut top = top(80, 12);
    top.shown = Shown::Tree("group".to_owned());
    top.tree = nodes(30);
    press(&mut top, Key::End);
    let shown = body(&mut top);
    assert!(shown[0].ends_with("node 24") && shown[6].ends_with("node 30"), "{shown:#?}");
    // Most of it has ended.
    top.tree = nodes(8);
    let shown = body(&mut top);
    assert!(shown[0].ends_with("node 2") && shown[6].ends_with("node 8"), "{shown:#?}");
    top.tree = nodes(3);
    assert!(body(&mut top)[0].ends_with("node 1"));
}

#[test]
fn rows_that_are_left_fill_the_screen() {
    let mut top = top(80, 12);
    let row =
        |i| Row { name: format!("row{i}"), example: String::new(), figures: Default::default() };
    top.rows = (0..30).map(row).collect();
    press(&mut top, Key::End);
    assert!(body(&mut top)[6].contains("row29"));
    top.rows.truncate(8);
    top.chosen = 7;
    assert!(body(&mut top)[0].contains("row1"), "{:#?}", body(&mut top));
}
