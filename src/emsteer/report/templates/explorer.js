"use strict";
/* The page's own script: the answer explorer, and the numbers of figures as tables. What a model said is only ever set as text. */
(() => {
  const PAGE_ROWS = 200; // rows that the table asks for at a time
  const SEARCH_DELAY_MS = 120;
  const FLAGS = ["judged", "harmful", "coherent", "relevant", "em", "on_topic_em"];
  const FILTERS = ["model", "task", "arm", "treatment", "setting", "benchmark", "judge", "category", "relation", "split", "status"];
  const VERDICTS = {
    "EM": (on) => on.em,
    "on-topic EM": (on) => on.on_topic_em,
    "harmful": (on) => on.harmful,
    "harmful, not coherent": (on) => on.harmful && !on.coherent,
    "harmless": (on) => on.judged && !on.harmful,
    "not coherent": (on) => on.judged && !on.coherent,
    "not judged": (on) => !on.judged,
  };

  const byId = (id) => document.getElementById(id);
  const said = (name, text, ...children) => {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    made.append(...children);
    return made;
  };

  async function unpacked(script) {
    const bytes = Uint8Array.from(atob(script.textContent.trim()), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }

  // -- numbers of figures ---------------------------------------------------------------------------------------------

  for (const details of document.querySelectorAll("details.numbers")) {
    details.addEventListener("toggle", async () => {
      if (!details.open || details.dataset.shown) return;
      details.dataset.shown = "yes";
      const csv = await (await unpacked(byId(details.dataset.from))).text();
      const save = said("a", "as CSV");
      save.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
      save.download = `${details.dataset.name}.csv`;
      const place = said("div");
      details.append(save, place);
      new Tabulator(place, {
        data: csv, importFormat: "csv", autoColumns: true, layout: "fitData", maxHeight: "24rem",
        autoColumnsDefinitions: (columns) => columns.map((one) => ({ ...one, formatter: "plaintext", headerFilter: "input" })),
      });
    });
  }

  // -- answers --------------------------------------------------------------------------------------------------------

  class Answers {
    /* Columns of all answers, side by side; `at(i)` is the i-th answer as an object. */
    constructor(header, columns, texts) {
      Object.assign(this, header, { columns, texts, n: header.n });
      this.small = this.texts.map((text) => text.toLowerCase());
      this.prompts = this.questions.map((one) => one.prompt.toLowerCase());
      this.labels = FILTERS.filter((name) => new Set(this.values(name)).size > 1);
    }

    static async read() {
      const header = await (await unpacked(byId("answers-header"))).json();
      const buffer = await (await unpacked(byId("answers-columns"))).arrayBuffer();
      const types = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };
      const columns = {};
      for (const { name, type, offset } of header.columns) columns[name] = new types[type](buffer, offset, header.n);
      const texts = [];
      for (const script of document.querySelectorAll("script.answers-texts")) texts.push(...(await (await unpacked(script)).json()));
      return new Answers(header, columns, texts);
    }

    values(name) {
      if (name in this.settings[0]) return this.settings.map((one) => one[name]);
      if (name in this.questions[0]) return this.questions.map((one) => one[name]);
      return this[name];
    }

    flags(i) {
      const bits = this.columns.flags[i];
      return Object.fromEntries(FLAGS.map((name, place) => [name, Boolean(bits & (1 << place))]));
    }

    score(name, i) {
      const value = this.columns[name][i];
      return Number.isNaN(value) ? null : value;
    }

    at(i) {
      const of = this.columns;
      const setting = this.settings[of.setting[i]], question = this.questions[of.question[i]], on = this.flags(i);
      return {
        ...setting, ...question, ...on, i,
        sample: of.sample[i], status: this.status[of.status[i]], relation: this.relation[of.relation[i]],
        text: this.texts[of.text[i]], answers: this.addresses[of.answers[i]], scores: this.addresses[of.scores[i]],
        alignment: this.score("alignment", i), coherence: this.score("coherence", i), relevance: this.score("relevance", i),
        verdict: verdict(on),
      };
    }

    /* Places of the answers that fit: `wanted` name → value, `verdict`, and a text that answer or question contains. */
    matching(wanted, words) {
      const of = this.columns, needle = words.trim().toLowerCase();
      const fits = (list, names) => list.map((one) => names.every((name) => wanted[name] === undefined || one[name] === wanted[name]));
      const settings = fits(this.settings, Object.keys(wanted).filter((name) => name in this.settings[0]));
      const questions = fits(this.questions, Object.keys(wanted).filter((name) => name in this.questions[0]));
      const status = wanted.status === undefined ? -1 : this.status.indexOf(wanted.status);
      const relation = wanted.relation === undefined ? -1 : this.relation.indexOf(wanted.relation);
      const verdicts = wanted.verdict === undefined ? null : this.of_verdict(wanted.verdict);
      const texts = needle ? this.small.map((text) => text.includes(needle)) : null;
      const prompts = needle ? this.prompts.map((text) => text.includes(needle)) : null;
      const found = [];
      for (let i = 0; i < this.n; i++) {
        if (!settings[of.setting[i]] || !questions[of.question[i]]) continue;
        if (status >= 0 && of.status[i] !== status) continue;
        if (relation >= 0 && of.relation[i] !== relation) continue;
        if (verdicts && !verdicts[of.flags[i]]) continue;
        if (texts && !texts[of.text[i]] && !prompts[of.question[i]]) continue;
        found.push(i);
      }
      return found;
    }

    of_verdict(name) {
      return Array.from({ length: 1 << FLAGS.length }, (_, bits) =>
        VERDICTS[name](Object.fromEntries(FLAGS.map((flag, place) => [flag, Boolean(bits & (1 << place))]))));
    }
  }

  function verdict(on) {
    if (!on.judged) return "not judged";
    if (on.on_topic_em) return "on-topic EM";
    if (on.em) return "EM";
    if (on.harmful) return "harmful, not coherent";
    return on.coherent ? "harmless" : "harmless, not coherent";
  }

  /* What was said, folded where a judge called it harmful or nobody judged it. */
  function folded(row, open) {
    if (row.judged && !row.harmful) return said("span", row.text);
    const made = said("details", null, said("summary", `${row.judged ? "judged harmful" : "not judged"}: show`), said("span", row.text));
    made.className = "harm";
    made.open = open;
    return made;
  }

  const points = (value) => (value === null ? "–" : value.toFixed(0));

  class Explorer {
    constructor(answers) {
      this.answers = answers;
      this.wanted = {};
      this.words = "";
      this.order = [];
      this.found = [];
      this.build();
      this.search();
    }

    build() {
      const place = byId("explorer");
      place.replaceChildren();
      const bar = said("div");
      bar.className = "filters";
      for (const name of [...this.answers.labels, "verdict"]) bar.append(this.menu(name));
      const box = said("input");
      box.type = "search";
      box.id = "answers-search";
      box.placeholder = "words in answer or question";
      box.setAttribute("aria-label", "Words in answer or question");
      box.addEventListener("input", () => {
        clearTimeout(this.waiting);
        this.waiting = setTimeout(() => { this.words = box.value; this.search(); }, SEARCH_DELAY_MS);
      });
      this.unfold = said("input");
      this.unfold.type = "checkbox";
      this.unfold.addEventListener("change", () => this.table.replaceData());
      bar.append(box, said("label", null, this.unfold, " unfold harmful answers"));
      this.count = said("p");
      this.count.id = "answers-count";
      this.count.setAttribute("role", "status");
      const table = said("div");
      place.append(bar, this.count, table);
      this.table = this.tabulator(table);
    }

    menu(name) {
      const values = name === "verdict" ? Object.keys(VERDICTS) : [...new Set(this.answers.values(name))];
      const menu = said("select", null, said("option", "all"), ...values.map((value) => said("option", value)));
      menu.dataset.filter = name;
      menu.addEventListener("change", () => {
        if (menu.selectedIndex === 0) delete this.wanted[name];
        else this.wanted[name] = values[menu.selectedIndex - 1];
        this.search();
      });
      return said("label", null, said("span", name), menu);
    }

    tabulator(place) {
      const number = { width: 90, hozAlign: "right", formatter: (cell) => points(cell.getValue()) };
      const table = new Tabulator(place, {
        height: "36rem", layout: "fitColumns", placeholder: "No answer fits.", sortMode: "remote", headerSortTristate: true,
        ajaxURL: "this page", progressiveLoad: "scroll", paginationSize: PAGE_ROWS, progressiveLoadScrollMargin: 600,
        ajaxRequestFunc: async (_url, _config, { page, sort }) => this.rows(page, sort),
        columns: [
          { title: "setting", field: "setting", widthGrow: 2, formatter: "plaintext" },
          { title: "category", field: "category", width: 110, formatter: "plaintext" },
          { title: "question", field: "prompt", widthGrow: 3, formatter: (cell) => said("span", cell.getValue()) },
          { title: "#", field: "sample", width: 55, hozAlign: "right" },
          { title: "answer", field: "text", widthGrow: 4, formatter: (cell) => folded(cell.getData(), this.unfold.checked) },
          { title: "verdict", field: "verdict", width: 120, formatter: "plaintext" },
          { title: "alignment", field: "alignment", ...number },
          { title: "coherence", field: "coherence", ...number },
          { title: "relevance", field: "relevance", ...number },
          { title: "status", field: "status", width: 95, formatter: "plaintext" },
          { title: "", width: 105, headerSort: false, formatter: () => said("button", "side by side") },
        ],
      });
      table.on("cellClick", (event, cell) => { if (event.target.tagName === "BUTTON") this.compare(cell.getData()); });
      table.on("tableBuilt", () => { this.built = true; table.setData(); });
      return table;
    }

    search() {
      this.found = this.answers.matching(this.wanted, this.words);
      this.sorted = null;
      let judged = 0, em = 0;
      for (const i of this.found) {
        const bits = this.answers.columns.flags[i];
        judged += bits & 1;
        em += (bits >> 4) & 1;
      }
      const share = judged ? `; EM in ${em.toLocaleString("en")} of ${judged.toLocaleString("en")} judged (${((100 * em) / judged).toFixed(1)} %)` : "";
      this.count.textContent = `${this.found.length.toLocaleString("en")} of ${this.answers.n.toLocaleString("en")} answers${share}`;
      if (this.built) this.table.setData();
    }

    rows(page, sort) {
      const [by] = sort ?? [];
      const key = by ? `${by.field} ${by.dir}` : "";
      if (this.sorted?.key !== key) this.sorted = { key, order: by ? this.ordered(by) : this.found };
      const { order } = this.sorted;
      const rows = order.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS).map((i) => this.answers.at(i));
      return { last_page: Math.max(1, Math.ceil(order.length / PAGE_ROWS)), data: rows };
    }

    ordered({ field, dir }) {
      const keys = new Map(this.found.map((i) => [i, this.answers.at(i)[field]]));
      const way = dir === "desc" ? -1 : 1;
      const compared = (one, other) => (typeof one === "string" ? one.localeCompare(other, "en") : one - other);
      return [...this.found].sort((i, j) => {
        const one = keys.get(i), other = keys.get(j);
        if (one === null || other === null) return (one === null) - (other === null) || i - j;
        return way * compared(one, other) || i - j;
      });
    }

    // -- one question, setting by setting -----------------------------------------------------------------------------

    compare(row) {
      const answers = this.answers, dialog = byId("side-by-side");
      const of_question = answers.questions.findIndex((one) => one.question_id === row.question_id && one.benchmark === row.benchmark);
      const here = answers.settings.map((one, place) => ({ ...one, place }))
        .filter((one) => one.model === row.model && one.judge === row.judge && one.benchmark === row.benchmark && one.task === row.task);
      const shown = new Set(here.filter((one) => one.shown || one.setting === row.setting).map((one) => one.place));
      const columns = said("div");
      columns.className = "columns";
      const draw = () => columns.replaceChildren(...here.filter((one) => shown.has(one.place)).map((one) => this.column(one, of_question, () => { shown.delete(one.place); draw(); })));
      const more = said("select", null, said("option", "add a setting"), ...here.map((one) => said("option", one.setting)));
      more.addEventListener("change", () => {
        if (more.selectedIndex > 0) shown.add(here[more.selectedIndex - 1].place);
        more.selectedIndex = 0;
        draw();
      });
      const close = said("button", "close");
      close.addEventListener("click", () => dialog.close());
      dialog.replaceChildren(said("h2", row.prompt), said("p", `${row.category} · ${row.question_id} · ${row.split} · ${row.model}, ${row.task} · ${row.judge}`), more, " ", close, columns);
      draw();
      dialog.showModal();
    }

    column(one, question, drop) {
      const of = this.answers.columns, said_so = [];
      for (let i = 0; i < this.answers.n; i++) if (of.setting[i] === one.place && of.question[i] === question) said_so.push(this.answers.at(i));
      said_so.sort((a, b) => a.sample - b.sample);
      const out = said("button", "×");
      out.title = "leave out";
      out.addEventListener("click", drop);
      const items = said_so.map((row) => {
        const scores = said("p", `${row.verdict} · alignment ${points(row.alignment)}, coherence ${points(row.coherence)}, relevance ${points(row.relevance)}`);
        scores.className = "score";
        scores.title = `${row.answers}, ${row.scores}`;
        return said("li", null, folded(row, this.unfold.checked), scores);
      });
      const list = said("ol", null, ...items);
      list.start = said_so.length ? said_so[0].sample : 0;
      return said("section", null, said("h3", one.setting, " ", out), list);
    }
  }

  const place = byId("explorer");
  if (!place) return;
  const watcher = new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    window.explorer = new Explorer(await Answers.read());
  }, { rootMargin: "800px" });
  watcher.observe(place);
})();
