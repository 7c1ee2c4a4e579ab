"use strict";
/* Colours for numbers: from the lowest value to the highest, as in helpers/plotting.py. */
charbook.define("colours", [], () => {
  const COLOURS = {
    light: {
      amount: ["#ffffff", "#9cc3e6", "#0072b2", "#08244a"],
      signed: ["#0072b2", "#ffffff", "#d55e00"],
    },
    dark: {
      amount: ["#14181e", "#1f4e79", "#4aa3df", "#eaf4ff"],
      signed: ["#4aa3df", "#14181e", "#f08a3c"],
    },
  };

  /* 256 colours (256 * 3 bytes) between the stops. */
  function ramp(stops) {
    const rgb = stops.map((s) => [1, 3, 5].map((k) => parseInt(s.slice(k, k + 2), 16)));
    return Uint8Array.from({ length: 768 }, (_, k) => {
      const position = (Math.floor(k / 3) / 255) * (rgb.length - 1);
      const left = Math.min(Math.floor(position), rgb.length - 2);
      const share = position - left;
      return Math.round(rgb[left][k % 3] * (1 - share) + rgb[left + 1][k % 3] * share);
    });
  }

  const isDark = () => document.documentElement.dataset.theme === "dark";

  /* The stops from the lowest value to the highest; signed where the lowest is below 0. */
  const stops = (low) => COLOURS[isDark() ? "dark" : "light"][low < 0 ? "signed" : "amount"];

  return { COLOURS, ramp, stops };
});
