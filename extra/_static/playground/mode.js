"use strict";
/* What the three modes share: the book's networks and counts, texts of one length, and one place
   in them that is inspected.

   A mode has further: static cells (the models that it needs, null for the one that is chosen);
   element; begin(models, form); step(settings) -> whether there is more to do; paint(last);
   finished() -> a message; clear(); copied() -> text for the clipboard. */
charbook.define("mode", ["engine", "transformer", "counts", "architectures", "page"], (
  { load }, _, { Counts, LONGEST }, architectures, { loadScript, percent, quoted, whole },
) => {
  const COUNTED = "ngram";
  const NETWORKS = Object.keys(architectures).filter((cell) => architectures[cell].inPage);
  const CELLS = [...NETWORKS, COUNTED];
  const LIMITS = {
    play: 500, // characters written for one press of play
    text: 5000, // characters kept in the page
  };

  const loading = new Map(); // name -> promise of {model, about}

  async function fetched(name) {
    if (name !== COUNTED) {
      await loadScript(`models/${name}.js`, "the weights");
      const file = globalThis.charbookModels[name];
      return { model: load(file), about: file.about };
    }
    await loadScript("texts/coriolanus.js", "the text");
    const text = globalThis.charbookTexts.coriolanus;
    const read = `counted in Coriolanus alone, ${whole(text.length)} characters; it looks ${LONGEST} back`;
    return { model: new Counts(text), about: { read } };
  }

  function loadModel(name) {
    if (!loading.has(name)) {
      const promise = fetched(name);
      promise.catch(() => loading.delete(name)); // so that play can be pressed again
      loading.set(name, promise);
    }
    return loading.get(name);
  }

  class Mode {
    /* views: TextView of each text; slider: a PlaceSlider */
    constructor(views, slider) {
      Object.assign(this, { views, slider, pinned: null, pointed: null });
    }

    /* The place that the reader looks at, or null. It holds while the text grows. */
    get chosen() {
      return this.pointed ?? this.pinned;
    }

    /* The newest place is looked at again. */
    release() {
      this.pinned = this.pointed = null;
    }

    /* The place shown where none is pointed at: the newest character. */
    restingPlace(count) {
      return count - 1;
    }

    /* place: what is pointed at, or null; stay: whether it was clicked or chosen. The last place,
       where that is the one to rest at, is left again when the text grows. */
    inspect(place, stay) {
      const last = this.views[0].items.length - 1;
      const rests = place === last && this.restingPlace(last + 1) === last;
      if (stay) this.pinned = rests ? null : place;
      this.pointed = stay ? null : place;
      this.refresh(stay);
    }

    refresh(scroll = false) {
      const count = this.views[0].items.length;
      if (!count) return;
      const { chosen } = this;
      const at = Math.min(chosen ?? this.restingPlace(count), count - 1);
      for (const view of this.views) {
        view.highlight(chosen === null ? null : at);
        if (scroll) view.scrollTo(at);
        else if (chosen === null && this.restingPlace(count) === count - 1) view.scrollToEnd();
      }
      this.slider.set(at, count, this.views[0].items[at].character);
      this.show(at, chosen !== null);
    }

    clear() {
      this.release();
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

  return { CELLS, LIMITS, Mode, describe, loadModel, placeName };
});
