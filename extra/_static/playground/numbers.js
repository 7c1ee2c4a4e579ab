"use strict";
/* Numbers as text. */
charbook.define("numbers", [], () => {
  /* Two decimals, with a proper minus sign. */
  const signed = (number, digits = 2) => {
    const text = number.toFixed(digits);
    return Number(text) < 0 ? text.replace("-", "−") : text.replace("-", "");
  };
  const whole = (number) => number.toLocaleString("en-GB");

  return { signed, whole };
});
