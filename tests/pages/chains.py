# SPDX-License-Identifier: MIT OR Apache-2.0
"""The chains of commands: their zoom, what is too narrow for it, and what a search makes of them."""

from case import Browser, Case, FRAME, life, painted, written


def uneven_build():
    """make, a cc that takes most, a doc that takes a fifth; below doc a failure that takes a microsecond."""
    lines = [*life(10, 1, ["make"], 1, 100_000, 0, 500),
             *life(11, 10, ["cc"], 1_000, 90_000, 0, 1_000),
             *life(12, 11, ["cc1"], 2_000, 80_000, 0, 70_000),
             *life(13, 10, ["doc"], 1_000, 50_000, 0, 1_000),
             *life(14, 13, ["tex"], 2_000, 40_000, 0, 20_000),
             *life(15, 13, ["lint"], 41_000, 42_000, 0, 3),
             *life(16, 13, ["probe"], 43_000, 44_000, 1, 1)]
    return written(lines)


class Chains(Case):
    def cell(self, browser, row, x):
        """What the chains of commands tell of a point."""
        left, top, self.width = browser.ask("""(() => {
          const canvas = document.getElementById('icicle');
          const { left, top } = canvas.getBoundingClientRect();
          return [left + canvas.clientLeft, top + canvas.clientTop, canvas.clientWidth];
        })()""")
        self.point = (left + x, top + row * 18 + 9)
        # To where it is already would be no move.
        browser.mouse("mouseMoved", 0, 0)
        browser.mouse("mouseMoved", *self.point)
        return self.told(browser)

    def told(self, browser):
        browser.ask(FRAME)
        return browser.ask("document.getElementById('cell').textContent")

    def click(self, browser, row, x):
        self.cell(browser, row, x)
        for kind in ("mousePressed", "mouseReleased"):
            browser.mouse(kind, *self.point, button="left", clickCount=1)

    def spans(self, browser, row, name, begin, end):
        """Between these parts of the width is this cell, and on both sides of it others."""
        near = min(5, (end - begin) * self.width / 2)
        for part, inside, outside in ((begin, near, -5), (end, -near, 5)):
            x = part * self.width
            self.assertIn(f"{name}:", self.cell(browser, row, x + inside))
            if 0 < part < 1:
                self.assertNotIn(f"{name}:", self.cell(browser, row, x + outside))

    def doc_has_the_width(self, browser):
        """What is expected where doc takes the whole width."""
        self.cell(browser, 0, 5)
        self.spans(browser, 1, "make", 0, 1)
        self.spans(browser, 2, "make > doc", 0, 1)
        self.spans(browser, 3, "make > doc > tex", 0, 20_000 / 21_004)
        # Two that together don't fill a pixel are there, and that one of them failed is seen.
        rest = self.cell(browser, 3, 20_000 / 21_004 * self.width + 1)
        self.assertIn("make > doc > 2 more: CPU 4 us (0.0 %), 2 processes, 1 failed", rest)
        self.assertGreater(browser.ask(painted("icicle", "tolerated")), 10)

    def test_zoom_by_mouse(self):
        path = self.written(uneven_build())
        with Browser(1000, 1100) as browser:
            browser.open(path)
            self.assertIn("all: CPU 92.5 ms (100.0 %)", self.cell(browser, 0, 5))
            begin = 71_000 / 92_504
            self.spans(browser, 2, "make > cc", 0, begin)
            self.spans(browser, 2, "make > doc", begin, 92_004 / 92_504)
            self.assertGreater(browser.ask(painted("icicle", "tolerated")), 10)
            self.click(browser, 2, begin * self.width + 20)
            self.doc_has_the_width(browser)
            # So it is after a reload, too.
            fragment = self.address(browser)
            self.assertIn("z=", fragment)
            browser.load("about:blank")
            browser.open(path, fragment)
            self.doc_has_the_width(browser)
            # A click on what stands above zooms out to it.
            self.click(browser, 1, 700)
            self.spans(browser, 2, "make > cc", 0, begin)
            self.assertEqual(self.address(browser), "#z=1")
            self.click(browser, 0, 700)
            self.assertEqual(self.address(browser), "")
            # Where nothing has the focus, keys are about what the pointer is on.
            browser.open(path)
            self.cell(browser, 2, begin * self.width + 20)
            browser.press("Enter")
            self.assertIn("make > doc:", self.told(browser))
            self.assertEqual(self.address(browser), fragment)
            browser.press("Escape")
            self.assertEqual(self.address(browser), "")
            for wrong in ("#z=99", "#z=1-99", "#z=x-y", "#z=", "#z=-1-0.5"):
                browser.open(path, wrong)
                self.assertIn("all: CPU", self.cell(browser, 0, 5))
                self.spans(browser, 2, "make > cc", 0, begin)
            self.assertEqual(browser.complaints(), [])

    def test_zoom_by_key(self):
        path = self.written(uneven_build())
        with Browser(1000, 1100) as browser:
            browser.open(path, "#q=tex")

            def press(*keys):
                for key in keys:
                    browser.press(key)
                return self.told(browser)

            self.assertTrue(press("i", "ArrowDown", "ArrowDown", "ArrowRight").startswith("make > doc:"))
            self.assertIn("1 found", press("Enter"))
            self.assertIn("z=4", self.address(browser))
            # What is too narrow is as wide as it needs, once it is asked for.
            self.assertTrue(press("ArrowDown", "ArrowRight").startswith("make > doc > 2 more:"))
            self.assertTrue(press("Enter").startswith("make > doc > lint:"))
            self.assertIn("z=4-1", self.address(browser))
            self.assertGreater(browser.ask(painted("icicle", "tolerated")), 10)
            self.assertTrue(press("ArrowRight").startswith("make > doc > probe:"))
            self.assertTrue(press("Backspace").startswith("make > doc > 2 more:"))
            self.assertTrue(press("Backspace").startswith("make > doc:"))
            self.assertIn("z=1", self.address(browser))
            # Esc zooms out first; what was searched for goes only then.
            self.assertTrue(press("Escape").startswith("all:"))
            self.assertEqual(self.address(browser), "#q=tex")
            press("Escape")
            self.assertEqual(self.address(browser), "")
            self.well(browser, path)

    def many_commands(self, count):
        """Commands of a microsecond below one of a second; the last, which took less, fails."""
        lines = life(10, 1, ["make"], 1, 900_000, 0, 1_000_000)
        for n in range(count):
            last = n == count - 1
            lines += life(11 + n, 10, [f"job{n}"], 10 + n, 20 + n, int(last), int(not last))
        return self.written(written(lines))

    def test_commands_that_take_nothing_are_reached(self):
        # Few enough to be told apart once they have the width to themselves.
        with Browser(1000, 1100) as browser:
            browser.open(self.many_commands(300))
            self.assertIn("make > 300 more:", self.cell(browser, 2, 2))
            self.click(browser, 2, 2)
            self.spans(browser, 2, "make > job100", 100 / 299, 101 / 299)
        # More than can be.
        path = self.many_commands(1_200)
        with Browser(1000, 1100) as browser:
            browser.open(path)
            self.assertIn("make > 1,200 more: CPU 1.20 ms (0.1 %), 1,200 processes, 1 failed", self.cell(browser, 2, 2))
            self.click(browser, 2, 2)
            self.spans(browser, 1, "make", 0, 1)
            self.assertIn("make > job0:", self.cell(browser, 2, 2))
            self.assertIn("make > job100:", self.cell(browser, 2, 402))
            self.assertIn(" more: ", self.cell(browser, 2, self.width - 2))
            self.assertGreater(browser.ask(painted("icicle", "tolerated")), 10)
            self.click(browser, 2, self.width - 2)
            self.assertGreater(browser.ask(painted("icicle", "tolerated")), 10)
            # What is left of them then fits.
            self.assertIn("make > job1199: CPU 0 us (0.0 %), 1 process, 1 failed",
                          self.cell(browser, 2, self.width - 1))
            self.assertEqual(self.address(browser), f"#z=1-{self.width // 4 - 1}")
            self.well(browser, path)

    def test_a_search(self):
        path = self.written(uneven_build())
        with Browser(1000, 1100) as browser:
            for fragment, found in (("#q=tex", 1), ("#q=tex&z=1", 1), ("#q=make", 0)):
                browser.open(path, fragment)
                self.assertIn(f"1 failed, {found} found", self.cell(browser, 2, 850))
                self.assertGreater(browser.ask(painted("icicle", "hit")), 100)
                # cc1 has none, nor has anything below it.
                self.assertIn("cc1", self.cell(browser, 3, 300))
                self.assertLess(browser.ask(OPACITY), 0.3)
            browser.open(path, "#q=cc1")
            self.assertIn("cc1", self.cell(browser, 3, 300))
            self.assertEqual(browser.ask(OPACITY), 1)
            self.well(browser, path)


# How opaque the cell is, 300 pixels from the left, in the fourth row of the chains of commands.
OPACITY = """(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  context.drawImage(document.getElementById('icicle'), -300, -(3 * 18 + 9));
  return context.getImageData(0, 0, 1, 1).data[3] / 255;
})()"""
