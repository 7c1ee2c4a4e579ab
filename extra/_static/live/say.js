"use strict";
/* What has changed, for a screen reader: once the reader's hand rests, not on every step. */
charbook.define("say", ["page"], ({ h }) => {
  const REST = 700; // milliseconds

  /* An element out of sight; say(text) lets it be read. */
  return class Say {
    constructor() {
      this.element = h("p", { class: "pg-hidden", role: "status" });
    }

    say(text) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        if (this.element.textContent !== text) this.element.textContent = text;
      }, REST);
    }
  };
});
