"use strict";
/* A number as a colour of the page's mode, and a call when the mode changes. */
charbook.define("shades", ["colours"], ({ ramp, stops }) => {
  const ramps = new Map();
  /* value -> [r, g, b]; what is outside low … high has the colour of that end. */
  function shade(value, low, high) {
    const between = stops(low);
    if (!ramps.has(between)) ramps.set(between, ramp(between));
    const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
    const from = Math.round(share * 255) * 3;
    return [...ramps.get(between).subarray(from, from + 3)];
  }

  /* Black or white, whichever is read better on a colour (WCAG 2.1, relative luminance). */
  function ink(rgb) {
    const [r, g, b] = rgb.map((part) => {
      const c = part / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
  }

  /* Call again when the reader turns from light to dark or back. */
  function onMode(call) {
    const seen = new MutationObserver(call);
    seen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  return { ink, onMode, shade, stops };
});
