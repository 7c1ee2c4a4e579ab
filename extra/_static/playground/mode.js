"use strict";
/* What the three modes share: texts of one length, and one place in them that is inspected.

   A mode has further: static cells (the models that it needs); element; begin(models, form);
   step(settings) -> whether there is more to do; paint(last); finished() -> a message; clear();
   copied() -> text for the clipboard. */
charbook.define("mode", ["page"], ({ percent, quoted }) => {
  const LIMITS = {
    play: 500, // characters written for one press of play
    text: 5000, // characters kept in the page
  };

  class Mode {
    /* views: TextView of each text; slider: a PlaceSlider */
    constructor(views, slider) {
      Object.assign(this, { views, slider, pinned: null });
    }

    /* The place shown where none is pointed at: the newest character. */
    restingPlace(count) {
      return count - 1;
    }

    /* place: what is pointed at, or null; stay: whether it was clicked or chosen. */
    inspect(place, stay) {
      const count = this.views[0].items.length;
      if (!count) return;
      if (stay) this.pinned = place;
      const chosen = place ?? this.pinned;
      const at = Math.min(chosen ?? this.restingPlace(count), count - 1);
      for (const view of this.views) {
        view.highlight(chosen === null ? null : at);
        if (stay) view.scrollTo(at);
      }
      this.slider.set(at, count, this.views[0].items[at].character);
      this.show(at, chosen !== null);
    }

    clear() {
      this.pinned = null;
      for (const view of this.views) view.clear();
      this.slider.set(0, 0);
    }
  }

  const placeName = (item, place) => `Place ${place + 1}, ${quoted(item.character)}`;

  /* A sentence about a character: its probability, its surprise, what it was drawn with. */
  function describe(item, place) {
    const { id, predicted, drawnFrom } = item;
    const name = placeName(item, place);
    if (!predicted) return `${name}: the first character, which nothing foretells.`;
    const surprise = `a surprise of ${(-Math.log(predicted[id])).toFixed(2)} nats`;
    const drawn = drawnFrom ? ` With the settings it was drawn with ${percent(drawnFrom[id])}.` : "";
    return `${name}: the model gave it ${percent(predicted[id])}, ${surprise}.${drawn}`;
  }

  return { LIMITS, Mode, describe, placeName };
});
