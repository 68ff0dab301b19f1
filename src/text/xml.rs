// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text within XML.

/// Appends text that is markup nowhere, neither between tags nor in an attribute. What XML 1.0
/// has no way to say becomes U+FFFD.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_stays_text() {
        let mut hostile: String = (0..0xd800).filter_map(char::from_u32).collect();
        hostile.push_str("</title><script>&amp;'\"]]>\u{fffe}\u{ffff}\u{10ffff}");
        let mut xml = "<a b=\"".to_owned();
        escape(&hostile, &mut xml);
        xml.push_str("\">");
        escape(&hostile, &mut xml);
        xml.push_str("</a>");
        let document = roxmltree::Document::parse(&xml).expect("well-formed");
        let text = document.root_element().text().expect("text");
        assert!(text.ends_with("</title><script>&amp;'\"]]>\u{fffd}\u{fffd}\u{10ffff}"));
    }
}
