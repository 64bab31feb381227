"use strict";
// Filters and sorts the table that is already in the page; without this file the page is complete, but still.
// What is shown lives in the URL's fragment, so an address is a permanent link to a view, and back and forward work.
(() => {
  const form = document.getElementById("filters");
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const dialog = document.getElementById("entry-dialog");
  const selects = [...form.querySelectorAll("select")];
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map((head) => head.dataset.column);
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const plain = { q: "", disputed: false, sort: "", descending: false, entry: "", row: "" };
  for (const select of selects) {
    plain[select.name] = [...select.options].find((option) => option.defaultSelected)?.value ?? "";
  }

  // A cell's key is what it sorts by: a number, a name, or null where the value is undefined.
  const key = (cell, number) => {
    const text = cell.dataset.key ?? cell.textContent.trim();
    if (!number) return text;
    return text === "" ? null : Number(text);
  };
  const numbers = heads.map((head) => head.classList.contains("n"));
  const rows = [...body.rows].map((element, place) => ({
    element,
    place,
    id: element.id.replace("row=", ""),
    keys: Object.fromEntries(columns.map((name, i) => [name, key(element.cells[i], numbers[i])])),
    options: selects.map(({ name }) => element.cells[columns.indexOf(name)].dataset.option),
    name: element.cells[columns.indexOf("metric")].dataset.key.toLowerCase(),
    disputed: element.classList.contains("disputed"),
  }));

  // Fragment <-> state. What the page does not know (a metric that left, a typing error) is ignored.
  const read = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    const state = { ...plain };
    // A link to one result shows it among those that it can be compared with.
    const linked = rows.find((row) => row.id === given.get("row"));
    if (linked) state.row = linked.id;
    for (const [i, select] of selects.entries()) {
      if (linked) state[select.name] = linked.options[i];
      const value = given.get(select.name);
      if ([...select.options].some((option) => option.value === value)) state[select.name] = value;
    }
    state.q = (given.get("q") ?? "").slice(0, 200);
    state.disputed = given.get("disputed") === "yes";
    if (columns.includes(given.get("sort"))) {
      state.sort = given.get("sort");
      state.descending = given.get("order") === "descending";
    }
    if (document.getElementById(`entry=${given.get("entry")}`)) state.entry = given.get("entry");
    return state;
  };
  const fragment = (state) => {
    const said = new URLSearchParams();
    for (const { name } of selects) if (state[name] !== plain[name]) said.set(name, state[name]);
    if (state.q) said.set("q", state.q);
    if (state.disputed) said.set("disputed", "yes");
    if (state.sort) said.set("sort", state.sort);
    if (state.sort) said.set("order", state.descending ? "descending" : "ascending");
    if (state.entry) said.set("entry", state.entry);
    return `#${said}`;
  };

  const passes = (row, state, words) =>
    selects.every(({ name }, i) => state[name] === "" || row.options[i] === state[name]) &&
    (!state.disputed || row.disputed) &&
    (words.length === 0 || words.some((word) => row.name.includes(word)));

  // Equal values keep the order of the page, and what is undefined stands last, whichever way is up.
  const compare = (state) => (a, b) => {
    const [x, y] = [a.keys[state.sort], b.keys[state.sort]];
    if ((x === null) !== (y === null)) return x === null ? 1 : -1;
    const order = typeof x === "string" ? collator.compare(x, y) : x - y;
    return (state.descending ? -order : order) || a.place - b.place;
  };

  let state = { ...plain };
  let arranged = "";
  const arrange = () => {
    const wanted = state.sort && `${state.sort} ${state.descending}`;
    if (wanted === arranged) return;
    arranged = wanted;
    const order = state.sort ? [...rows].sort(compare(state)) : rows;
    body.remove(); // twice as fast as moving rows within the page
    for (const { element } of order) body.append(element);
    table.append(body);
  };
  const showEntry = () => {
    const details = document.getElementById(`entry=${state.entry}`);
    if (!state.entry || !details) return dialog.close();
    const copy = details.cloneNode(true);
    copy.removeAttribute("id");
    dialog.querySelector("div").replaceChildren(copy);
    if (!dialog.open) dialog.showModal();
  };
  const show = () => {
    const words = state.q.toLowerCase().split(/[\s,]+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const passed = passes(row, state, words);
      row.element.hidden = !passed;
      row.element.classList.toggle("linked", row.id === state.row);
      shown += passed;
    }
    arrange();
    for (const select of selects) {
      select.value = state[select.name];
      table.classList.toggle(`one-${select.name}`, state[select.name] !== "");
    }
    if (form.elements.q.value !== state.q) form.elements.q.value = state.q;
    if (form.elements.disputed) form.elements.disputed.checked = state.disputed;
    heads.forEach((head, i) => {
      if (columns[i] !== state.sort) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    });
    const count = (n) => n.toLocaleString("en");
    form.elements.count.value = `${count(shown)} of ${count(rows.length)} results`;
    document.getElementById("none").hidden = shown > 0;
    showEntry();
  };
  const go = (change, { replace = false } = {}) => {
    state = { ...state, row: "", ...change };
    history[replace ? "replaceState" : "pushState"](null, "", fragment(state));
    show();
  };

  for (const select of selects) select.addEventListener("change", () => go({ [select.name]: select.value }));
  form.elements.disputed?.addEventListener("change", (event) => go({ disputed: event.target.checked }));
  let typing = false; // one step back undoes a search, not a letter
  form.elements.q.addEventListener("input", (event) => {
    go({ q: event.target.value.slice(0, 200) }, { replace: typing });
    typing = true;
  });
  for (const left of ["change", "blur"]) form.elements.q.addEventListener(left, () => (typing = false));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    go({ ...plain });
  });
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.querySelector(".title").childNodes);
    head.querySelector(".title").append(button);
    button.addEventListener("click", () => {
      const again = state.sort === columns[i];
      go({ sort: columns[i], descending: again ? !state.descending : head.dataset.first === "descending" });
    });
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#entry="]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ entry: new URLSearchParams(link.hash.slice(1)).get("entry") });
  });
  dialog.addEventListener("close", () => state.entry && go({ entry: "" }));
  addEventListener("popstate", () => {
    typing = false;
    state = read();
    show();
  });

  document.documentElement.classList.add("scripted");
  state = read();
  show();
  document.getElementById(`row=${state.row}`)?.scrollIntoView({ block: "center" });
})();
