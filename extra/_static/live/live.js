"use strict";
/* Live figures. One registers itself as a part live/NAME of its own, and stands in each place
   that the page keeps for it:

     charbook.live("ladder", ["page", "slider"], ["texts/coriolanus"], ({ h }, { Slider }) => {
       const rungs = (text, context) => …;    // what it computes: functions, which tests call
       return { title: "The ladder", build(place, { coriolanus }) { place.append(…); }, rungs };
     });

   needs: parts, whose scripts tools/site/live.py loads; data: scripts beside those of the
   playground, loaded when the reader comes near. */
charbook.define("live", ["page"], ({ h, loadScript, sentence }) => {
  const NEAR = "600px 0px"; // below and above what is in sight
  const SHELVES = { models: "charbookModels", texts: "charbookTexts" }; // folder -> global
  const loading = new Map(); // path -> promise

  /* "texts/coriolanus" -> ["coriolanus", what that script has set] */
  async function fetched(path) {
    const [folder, name] = path.split("/");
    const shelf = () => globalThis[SHELVES[folder]]?.[name];
    if (!shelf() && !loading.has(path)) loading.set(path, loadScript(`${path}.js`, `“${name}”`));
    await loading.get(path);
    return [name, shelf()];
  }

  async function fill(mount, figure, data) {
    try {
      const given = Object.fromEntries(await Promise.all(data.map(fetched)));
      await new Promise((resume) => setTimeout(resume)); // each figure is a task of its own
      const place = h("div", { class: "pg lv", role: "group", "aria-label": figure.title });
      mount.replaceChildren(place); // first, so that a figure can ask how wide it is
      figure.build(place, given);
    } catch (error) {
      const why = sentence(error.message);
      mount.replaceChildren(h("p", { role: "status" }, `This figure cannot be shown. ${why}`));
    }
  }

  return (name, needs, data, make) => {
    charbook.define(`live/${name}`, needs, make);
    const figure = charbook[`live/${name}`];
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        fill(target, figure, data);
      }
    }, { rootMargin: NEAR });
    for (const mount of document.querySelectorAll(`.lv-mount[data-live="${name}"]`))
      near.observe(mount);
  };
});
