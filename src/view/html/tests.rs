// SPDX-License-Identifier: MIT OR Apache-2.0
//! The document: what it says without a script, and what it gives the script.

use std::io::Read as _;
use std::path::Path;
use std::{env, fs};

use data_encoding::BASE64;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::view::fixtures::{Story, run};

fn page(story: &Story) -> String {
    run(Page::default(), &story.events)
}

fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("a data block");
    let (base64, _) = rest.split_once("</script>").expect("its end");
    let gzip = BASE64.decode(base64.as_bytes()).expect("base64");
    let mut json = String::new();
    GzDecoder::new(&*gzip).read_to_string(&mut json).expect("gzip of text");
    serde_json::from_str(&json).expect("JSON")
}

/// make fails for cc, which fails for cc1; configure's probe is tolerated.
fn build() -> Story {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["make", "all"]);
    story.fork(100, 11, 10).exec(100, 11, 10, &["configure"]);
    story.fork(150, 12, 11).exec(150, 12, 11, &["probe"]).exit(200, 12, 11, 1 << 8);
    story.exit(250, 11, 10, 0);
    story.fork(300, 13, 10).exec(300, 13, 10, &["cc"]);
    story
        .fork(350, 14, 13)
        .exec(350, 14, 13, &["cc1", "a.c"])
        .exit(900, 14, 13, 11)
        .costs(500, Some(7));
    story.exit(950, 13, 10, 1 << 8).exit(1_000, 10, 1, 2 << 8);
    story
}

#[test]
fn who_a_process_was_and_where_is_told() {
    let mut story = build();
    let place = crate::host::cgroup::place("/system.slice/ci.service");
    for event in &mut story.events {
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        wide.place = Some(std::sync::Arc::new(place.clone()));
    }
    let data = data(&page(&story));
    let whose = data["whose"].as_array().expect("a column");
    let texts: Vec<_> =
        whose.iter().map(|at| &data["texts"][at.as_u64().unwrap_or(0) as usize]).collect();
    assert_eq!(texts.len(), data["pid"].as_array().expect("a column").len());
    assert!(texts.iter().all(|text| **text == "user 1000, ci.service"), "{texts:?}");
}

#[test]
fn the_verdict_needs_no_script() {
    let page = page(&build());
    let (header, _) = page.split_once("</header>").expect("a header");
    for part in [
        "<h1>make all</h1>",
        "<p class=\"verdict bad\">ended with 2 after 1.00 ms</p>",
        "14 ended with SIGSEGV</a></p>\n<pre>cc1 a.c</pre>",
        "passed up by cc, make",
        "of the failures 3 passed up to the root, 1 tolerated",
    ] {
        assert!(header.contains(part), "{part}: {header}");
    }
}

#[test]
fn the_data_is_what_the_events_tell() {
    let data = data(&page(&build()));
    assert_eq!(data["pid"], json!([10, 11, 12, 13, 14]));
    assert_eq!(data["parent"], json!([0, 1, 1, 3, 1]));
    assert_eq!(data["row"], json!([0, 1, 2, 1, 2]));
    assert_eq!(data["begin"], json!([0, 100, 50, 150, 50]), "differences");
    assert_eq!(data["length"], json!([1000, 150, 50, 650, 550]));
    assert_eq!(data["status"], json!([2, 0, 1, 1, 256 + 11]));
    assert_eq!(data["passed"], json!([0, 3, 4]));
    assert_eq!(
        (&data["cpu"][4], &data["wait"][4], &data["cpu"][0]),
        (&json!(500), &json!(7), &json!(-1))
    );
    let text = |column: &str, i: usize| {
        data["texts"][data[column][i].as_u64().expect("a place") as usize].clone()
    };
    assert_eq!((text("name", 4), text("line", 4)), (json!("cc1"), json!("cc1 a.c")));
    let chain: u64 = data["chain"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|segment| segment[2].as_u64().expect("us") - segment[1].as_u64().expect("us"))
        .sum();
    assert_eq!(chain, 1000, "the whole");
}

#[test]
fn a_hostile_name_is_a_name() {
    let mut story = Story::default();
    let name = "</script><img src=x onerror=alert(1)>\u{202e}\x1b";
    story.fork(0, 10, 1).exec(0, 10, 1, &[name]).exit(9, 10, 1, 1 << 8);
    let page = page(&story);
    assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\x1b'));
    assert_eq!(page.matches("</script>").count(), 2, "its own");
    let texts = data(&page)["texts"].to_string();
    assert!(texts.contains("</script><img src=x"), "the name as it is: {texts}");
}

/// Of a machine there is no end to tell; of a command there is, whatever else the capture has.
#[test]
fn only_a_command_has_a_verdict() {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["one"]).exit(500, 10, 1, 1 << 8);
    story.fork(0, 20, 1).exec(0, 20, 1, &["two"]).exit(100, 20, 1, 0);
    let of = |command_pid| {
        let (mut view, mut out) = (Page::default(), Vec::new());
        let meta = Meta { host: "builder".to_owned(), command_pid, ..Meta::default() };
        view.begin(&meta, &mut out);
        story.events.iter().for_each(|event| view.event(event, &mut out));
        view.end(&Totals::default(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let machine = of(0);
    assert!(machine.contains("<h1>builder</h1>") && !machine.contains("class=\"verdict"));
    assert!(machine.contains("1 passed up to the top of their trees, 0 tolerated"));
    assert_eq!(data(&machine)["chain"], json!([]));
    let command = of(20);
    assert!(command.contains("<h1>two</h1>\n<p class=\"verdict good\">ended with 0"));
}

/// There its id is that of the namespace, which others may have further below, or outside.
#[test]
fn a_command_has_its_verdict_in_a_pid_namespace_too() {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["one"]).exit(500, 10, 1, 1 << 8);
    story.fork(0, 20, 1).exec(0, 20, 1, &["two"]);
    story.fork(10, 30, 20).exec(10, 30, 20, &["three"]).exit(20, 30, 20, 1 << 8);
    story.fork(30, 7, 20).exec(30, 7, 20, &["four"]).exit(40, 7, 20, 1 << 8);
    story.exit(100, 20, 1, 0);
    for event in &mut story.events {
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        wide.ns_pid = Some(if [20, 30].contains(&event.pid) { 7 } else { 8 });
    }
    let (mut view, mut out) = (Page::default(), Vec::new());
    view.begin(&Meta { command_pid: 7, ..Meta::default() }, &mut out);
    story.events.iter().for_each(|event| view.event(event, &mut out));
    view.end(&Totals::default(), &mut out);
    let page = String::from_utf8(out).expect("UTF-8");
    assert!(page.contains("<h1>two</h1>\n<p class=\"verdict good\">ended with 0"));
}

#[test]
fn losses_are_in_the_header() {
    let mut view = Page::default();
    let mut out = Vec::new();
    build().events.iter().for_each(|event| view.event(event, &mut out));
    view.lost(&Lost::new([1, 2, 0, 0], 0), 5, &mut out);
    view.end(&Totals { cut_off: true, missed: 4, ..Totals::default() }, &mut out);
    let page = String::from_utf8(out).expect("UTF-8");
    for part in ["3 events were lost", "up to 4 more events", "was cut off"] {
        assert!(page.contains(part), "{part}");
    }
}

/// `UPDATE=1` writes the hashes anew.
#[test]
fn the_policy_allows_this_script_and_this_style() {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text)) + "\n";
    let files = [("page.css.sha256", hash(STYLE)), ("script.sha256", hash(&script()))];
    for (file, hash) in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/view/html").join(file);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, hash).expect("written");
        } else {
            assert_eq!(fs::read_to_string(path).expect("a file"), hash, "{file}: make manual");
        }
    }
    for forbidden in ["</script", "<!--", "innerHTML", "eval(", "http"] {
        assert!(!script().contains(forbidden), "{forbidden}");
    }
}
