// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is drawn, read back from the SVG.

use roxmltree::{Document, Node};

use super::bars::MIN_BAR;
use super::*;
use crate::view::fixtures::{self, Random, Story, run};

fn number(node: Node<'_, '_>, attribute: &str) -> f64 {
    node.attribute(attribute).and_then(|text| text.parse().ok()).expect("a number")
}

/// Tooltips, in the order of the bars.
fn tooltips<'a>(svg: &'a Document<'_>) -> Vec<&'a str> {
    svg.descendants().filter(|node| node.has_tag_name("title")).flat_map(|n| n.text()).collect()
}

/// Left end and width of each bar, its parts together.
fn bars(svg: &Document<'_>) -> Vec<(f64, f64)> {
    let groups = svg.descendants().filter(|node| {
        node.has_tag_name("g") && node.children().any(|part| part.has_tag_name("rect"))
    });
    let parts = |group: Node<'_, '_>| {
        let rects = group.children().filter(|node| node.has_tag_name("rect"));
        let rects = rects.filter(|node| node.attribute("class") != Some("failed"));
        let ends = rects.map(|rect| (number(rect, "x"), number(rect, "width")));
        ends.reduce(|(x, width), (_, more)| (x, width + more)).expect("a bar has a part")
    };
    groups.map(parts).collect()
}

#[test]
fn a_pipeline() {
    let text = run(Timeline::default(), &fixtures::pipeline());
    let svg = Document::parse(&text).expect("well-formed");
    let near = |got: f64, want: f64| (got - want).abs() < 0.02;
    // 4 ms on 1160 pixels; bash was there before and after.
    let want = [(20.0, 1160.0), (20.0, 1160.0), (368.0, 377.0), (397.0, 435.0)];
    let got = bars(&svg);
    assert_eq!(got.len(), want.len());
    for ((x, width), (want_x, want_width)) in got.into_iter().zip(want) {
        assert!(near(x, want_x) && near(width, want_width), "{x} {width}");
    }
    assert_eq!(
        tooltips(&svg)[3],
        "grep root\npid 4523, child of 4521\nbegan at 1.30 ms\n\
         lived 1.50 ms, 600 us from fork to exec\nended with 1"
    );
    assert_eq!(text.matches("class=\"failed\"").count(), 2);
    assert!(text.contains("✗ 1</text>") && text.contains("prefers-color-scheme: dark"));
    assert!(text.contains(">3 processes, 3 execs, 2 failed, in 4.00 ms · "));
    assert!(text.contains(">sh -c &#39;cat /etc/passwd | grep root&#39;</text>"));
}

/// Left end and width of each bar of the pipeline, whose capture began 1 ms before it and lasted so
/// many milliseconds.
fn pipeline_within(elapsed_ms: u64, cut_off: bool) -> Vec<(f64, f64)> {
    let mut timeline = Timeline::default();
    let mut out = Vec::new();
    let began_ns = 1_000_000_000 - 1_000_000;
    timeline.begin(&Meta { began_ns, ..Meta::default() }, &mut out);
    fixtures::pipeline().iter().for_each(|event| timeline.event(event, &mut out));
    let elapsed_ns = elapsed_ms * 1_000_000;
    timeline.end(&Totals { elapsed_ns, cut_off, ..Totals::default() }, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    bars(&Document::parse(&text).expect("well-formed"))
}

#[test]
fn the_axis_is_as_long_as_the_capture() {
    let near = |got: f64, want: f64| (got - want).abs() < 0.02;
    let ms = 1160.0 / 10.0;
    let [(bash, all), (sh, lived), ..] = pipeline_within(10, false)[..] else { panic!("bars") };
    assert!(near(bash, 20.0) && near(all, 10.0 * ms), "bash was there before and after: {all}");
    assert!(near(sh, 20.0 + ms) && near(lived, 4.0 * ms), "{sh} {lived}");
    // Events beyond it aren't cut off; of a part it isn't known where in the capture it lies.
    let [_, (sh, lived), ..] = pipeline_within(2, false)[..] else { panic!("bars") };
    assert!(near(sh, 20.0 + 1160.0 / 5.0) && near(lived, 4.0 * 1160.0 / 5.0), "{sh} {lived}");
    let [_, (sh, lived), ..] = pipeline_within(10, true)[..] else { panic!("bars") };
    assert!(near(sh, 20.0) && near(lived, 1160.0), "{sh} {lived}");
}

#[test]
fn the_daemon_hangs_on_who_forked_it_and_runs_two_programs() {
    let text = run(Timeline::default(), &fixtures::daemon());
    let svg = Document::parse(&text).expect("well-formed");
    let tooltip = tooltips(&svg)[3];
    assert!(tooltip.starts_with("sh -c 'exec work'\npid 5002, child of 5001, adopted by 1\n"));
    assert!(tooltip.contains("\nthen work\nended with SIGSEGV (core dumped)"), "{tooltip}");
    assert_eq!(text.matches("class=\"exec\"").count(), 1);
}

/// The drawn and the folded ones are all, and the picture has a reader's size.
fn fits(events: &[Event], processes: usize) {
    let text = run(Timeline::default(), events);
    let svg = Document::parse(&text).expect("well-formed");
    assert!(number(svg.root_element(), "height") < 4_000.0);
    let folded = text.split_once(" more process").map_or(0, |(before, _)| {
        let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).expect("a count")
    });
    assert_eq!(bars(&svg).len() + folded, processes);
    assert_eq!(folded > 0, text.contains(" at the busiest"));
}

#[test]
fn thousands_fit_one_after_the_other_at_once_and_in_a_chain() {
    let (mut row, mut heap, mut chain, mut strangers) =
        (Story::default(), Story::default(), Story::default(), Story::default());
    for i in 0..5_000 {
        let (us, pid) = (u64::from(i), i + 10);
        row.fork(us * 10, pid, 9).exec(us * 10 + 3, pid, 9, &["true"]).exit(us * 10 + 9, pid, 9, 0);
        heap.fork(us, pid, 9);
        chain.fork(us, pid, pid - 1);
        strangers.exit(us, pid, 0, 0);
    }
    for story in [row, heap, chain] {
        fits(&story.events, 5_001);
    }
    fits(&strangers.events, 5_000);
}

#[test]
fn no_failure_is_hidden_and_colours_are_those_of_the_legend() {
    let mut story = Story::default();
    for i in 0..3_000 {
        let (us, pid, name) = (u64::from(i) * 100, i + 10, format!("prog{}", i % 30));
        story.fork(us, pid, 9).exec(us + 3, pid, 9, &[&name]);
        story.exit(us + 40, pid, 9, u32::from(i % 10 == 0) << 8);
    }
    let text = run(Timeline::default(), &story.events);
    let svg = Document::parse(&text).expect("well-formed");
    let folded = |title: &&str| {
        let (_, count) = title.strip_suffix(" failed")?.rsplit_once(" ✗ ")?;
        count.parse::<usize>().ok()
    };
    let folded: usize = tooltips(&svg).iter().filter_map(folded).sum();
    assert_eq!(folded + text.matches("class=\"failed\"").count(), 300);
    // They lie 1 ms and so nearly 4 pixels apart, as the stretches of the strip do.
    let fell = svg.descendants().filter(|node| node.attribute("class") == Some("fell"));
    let marks = |node: Node<'_, '_>| node.attribute("d").expect("a path").matches('M').count();
    assert!(fell.map(marks).next().is_some_and(|marks| marks > 250), "in the strip");

    let rects = svg.descendants().filter(|node| node.has_tag_name("rect"));
    let class =
        |node: Node<'_, '_>| Some(node.attribute("class")?.trim_end_matches(" fork").to_owned());
    let (legend, bars): (Vec<_>, Vec<_>) = rects.partition(|rect| rect.attribute("rx").is_some());
    let legend: Vec<_> = legend.into_iter().filter_map(class).collect();
    assert_eq!(legend.last().map(String::as_str), Some("other"));
    let known = |class: &String| class == "failed" || class == "page" || legend.contains(class);
    assert!(bars.into_iter().filter_map(class).all(|class| known(&class)));
}

#[test]
fn rows_are_ranked_by_what_they_took() {
    let rows = |cost: u64| {
        let mut story = Story::default();
        for i in 0..6_000 {
            let (us, pid) = (u64::from(i) * 10, i + 10);
            let (name, cpu_us) = if i % 4 == 0 { ("cc", 4 * cost) } else { ("sh", cost) };
            story.fork(us, pid, 9).exec(us + 1, pid, 9, &[name]).exit(us + 9, pid, 9, 0);
            if cost > 0 {
                story.costs(cpu_us, None);
            }
        }
        run(Timeline::default(), &story.events)
    };
    let (known, unknown) = (rows(1), rows(0));
    let place = |text: &str, name: &str| text.find(&format!("<title>{name} ×")).expect(name);
    assert!(known.contains(", by name, what used the most CPU time first: "));
    assert!(place(&known, "cc") < place(&known, "sh"), "few, but they took more");
    let svg = Document::parse(&known).expect("well-formed");
    let tooltip = tooltips(&svg).into_iter().find(|tip| tip.starts_with("cc ×")).expect("a row");
    let (count, cpu) = tooltip["cc ×".len()..].split_once(", ").expect("both");
    let cpu_us: u64 = count.parse::<u64>().expect("a count") * 4;
    assert_eq!(cpu, format!("{} of CPU time", crate::text::elapsed::Elapsed(cpu_us * 1_000)));
    assert!(unknown.contains(", by name, what ran longest first: "));
    assert!(place(&unknown, "sh") < place(&unknown, "cc") && !unknown.contains("CPU time"));
}

#[test]
fn takes_any_events() {
    Document::parse(&run(Timeline::default(), &[])).expect("well-formed");
    for seed in 1..300 {
        let text = run(Timeline::default(), &Random(seed).capture());
        let svg = Document::parse(&text).map_err(|error| format!("seed {seed}: {error}"));
        let svg = svg.expect("well-formed");
        for (x, width) in bars(&svg) {
            assert!(x >= MARGIN && x + width <= WIDTH - MARGIN + MIN_BAR, "{x} {width}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf\""), "seed {seed}");
    }
}

#[test]
fn a_command_that_is_not_there_is_told_by_its_bar() {
    let mut story = Story::default();
    story.exec_failed(0, 7, 1, &["no"]).exec_failed(10, 7, 1, &["nor"]).exit(20, 7, 1, 0);
    let text = run(Timeline::default(), &story.events);
    let svg = Document::parse(&text).expect("well-formed");
    let told = "\n2 failed execs, the last one of /bin/nor: ENOENT\n";
    assert!(tooltips(&svg).iter().any(|tooltip| tooltip.contains(told)), "{text}");
    assert!(text.contains("2 failed execs"), "and in the heading");
}
