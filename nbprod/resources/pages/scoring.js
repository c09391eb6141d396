// The form: fields from the schema, an answer at each change, and the change of the answer by each field.
(() => {
  "use strict";
  const read = id => { const block = document.getElementById(id); return block && JSON.parse(block.textContent); };
  const told = read("scoring-data"), plan = read("scoring-plan"), root = document.querySelector("[data-scoring]");
  const evaluate = plan ? compiledModel(plan) : null;
  const positive = told.classes.length === 2 ? told.classes[1] : null;
  const isShare = told.outputs.length > 1;

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
    made.append(...children);
    return made;
  }
  const shown = value => typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
  const percent = value => `${(value * 100).toFixed(1)} %`;

  // One field: its control, a slider beside a number, and value() / set(value); null where it is missing.
  function field(column, number) {
    const id = `field-${number}`, label = element("label", { for: id }, column.name);
    const note = element("p", { class: "quiet note", id: `${id}-note` });
    let control, slider = null;
    const choices = column.kind === "boolean" ? [true, false] : column.kind === "category" ? column.categories : null;
    if (choices && choices.length) {
      control = element("select", { id });
      choices.forEach((choice, k) => control.append(element("option", { value: k }, String(choice))));
      if (column.nullable) control.append(element("option", { value: "" }, "missing"));
    } else if (column.kind === "datetime") {
      control = element("input", { id, type: "datetime-local", step: "1" });
      note.textContent = column.zone ? `clock of ${column.zone}` : "";
    } else if (column.text) {
      control = element("input", { id, type: "text", autocomplete: "off" });
    } else {
      const step = column.kind === "integer" ? 1 : "any";
      control = element("input", { id, type: "number", step, "aria-describedby": `${id}-note`, inputmode: "decimal", autocomplete: "off" });
      if (column.low !== null && column.high !== null && column.low < column.high) {
        slider = element("input", { type: "range", min: column.low, max: column.high, step, "aria-label": `${column.name}, slider` });
      }
    }
    const contribution = element("div", { class: "contribution", "aria-hidden": "true" }, element("span"));
    const row = element("div", { class: "field" }, label, element("div", { class: "controls" }, control, ...(slider ? [slider] : [])), contribution, note);

    function value() {
      if (choices && choices.length) return control.value === "" ? null : choices[Number(control.value)];
      if (column.kind === "datetime") return control.value === "" ? null : control.value;
      if (column.text) return control.value === "" && column.nullable ? null : control.value;
      return control.value.trim() === "" ? null : Number(control.value);
    }
    function set(given) {
      if (choices && choices.length) {
        const at = choices.indexOf(given);
        control.value = given === null || given === undefined ? "" : at >= 0 ? String(at) : "0";
      } else control.value = given === null || given === undefined ? "" : String(given);
      if (slider && given !== null && given !== undefined) slider.value = String(given);
    }
    function fault() {
      const given = value();
      if (given === null) return column.nullable ? "" : `${column.name} is missing.`;
      if (typeof given === "number" && !choices) {
        if (!Number.isFinite(given)) return `${column.name} is no number.`;
        if (column.kind === "integer" && !Number.isInteger(given)) return `${column.name} must be a whole number.`;
      }
      return "";
    }
    function remark() {
      const given = value();
      if (typeof given !== "number" || choices || column.low === null || column.kind === "datetime") return;
      note.textContent = given < column.low || given > column.high
        ? `outside of ${shown(column.low)} to ${shown(column.high)}, which is all the model has seen` : "";
    }
    if (slider) {
      slider.addEventListener("input", () => { control.value = slider.value; changed(); });
      control.addEventListener("input", () => { if (control.value !== "") slider.value = control.value; });
    }
    control.addEventListener("input", () => changed());
    return { column, row, value, set, fault, remark, contribution };
  }

  const moment = text => {
    const [date, time = "00:00"] = text.split("T"), [year, month, day] = date.split("-").map(Number);
    const [hour, minute, second = 0] = time.split(":").map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, 0) * 1000 + Math.round(second * 1e6);
  };
  // A value as the plan takes it: moments in microseconds of their own clock, true and false as 1 and 0.
  const taken = (column, value) => value === null ? null : column.kind === "datetime" ? moment(value) : typeof value === "boolean" ? Number(value) : value;
  const score = answer => {
    if (!isShare) return typeof answer.prediction === "number" && told.task === "regression" ? answer.prediction : NaN;
    return answer.probabilities[positive === null ? told.classes.indexOf(answer.prediction) : 1];
  };

  const fields = told.columns.map(field);
  const verdict = element("output", { class: "verdict", "aria-live": "polite" });
  const bars = element("div", { class: "shares" }), trouble = element("p", { class: "alarm", role: "alert", hidden: true });
  const explained = element("p", { class: "quiet" }), reply = element("div", { class: "reply" });
  const form = element("form", { class: "asked", autocomplete: "off" }, ...fields.map(one => one.row));
  form.addEventListener("submit", event => { event.preventDefault(); changed(); });
  const picks = element("p", { class: "picks" });
  told.examples.forEach((row, k) => {
    const pick = element("button", { type: "button" }, `Example ${k + 1}`);
    pick.addEventListener("click", () => fill(row));
    picks.append(pick, " ");
  });
  if (Object.keys(told.usual).length) {
    const pick = element("button", { type: "button" }, "Usual values");
    pick.addEventListener("click", () => fill(told.usual));
    picks.append(pick);
  }
  const answerBox = element("section", { class: "answer", "aria-label": "Answer" }, element("h2", {}, told.target), verdict, bars, trouble, reply, explained);
  root.append(answerBox, picks, form);

  function fill(row) {
    for (const one of fields) one.set(row[one.column.name]);
    changed();
  }

  function show(answer) {
    trouble.hidden = true;
    verdict.textContent = `${shown(answer.prediction)}` + (positive !== null && isShare ? `, ${percent(answer.probabilities[1])} for ${positive}` : "");
    bars.replaceChildren(...(isShare && told.classes.length > 2 ? told.classes.map((name, k) => {
      const bar = element("span");
      bar.style.width = `${answer.probabilities[k] * 100}%`;
      return element("div", { class: "share" }, element("span", { class: "name" }, String(name)), element("span", { class: "track" }, bar), element("span", { class: "value" }, percent(answer.probabilities[k])));
    }) : []));
  }

  function fail(text) {
    verdict.textContent = "—";
    bars.replaceChildren();
    explained.textContent = "";
    trouble.hidden = false;
    trouble.textContent = text;
  }

  // How the answer changes when one field alone goes back to its usual value: not a split of the whole answer.
  function contribute(values, answer) {
    const here = score(answer);
    const label = isShare && positive === null ? told.classes.indexOf(answer.prediction) : 1;
    const moved = fields.map((one, k) => {
      const usual = told.usual[one.column.name];
      if (usual === undefined || usual === null || Number.isNaN(here)) return 0;
      try {
        const other = evaluate(values.map((value, j) => j === k ? taken(one.column, usual) : value));
        return here - (isShare ? other.probabilities[label] : score(other));
      } catch { return 0; }
    });
    const most = Math.max(...moved.map(Math.abs)) || 1;
    fields.forEach((one, k) => {
      const bar = one.contribution.firstChild, size = Math.abs(moved[k]) / most * 50;
      bar.className = moved[k] < 0 ? "down" : "up";
      bar.style.width = `${size}%`;
      bar.style.left = `${moved[k] < 0 ? 50 - size : 50}%`;
      const said = isShare ? `${moved[k] >= 0 ? "+" : "−"}${(Math.abs(moved[k]) * 100).toFixed(1)} points` : `${moved[k] >= 0 ? "+" : "−"}${shown(Math.abs(moved[k]))}`;
      one.contribution.title = said;
      one.contribution.dataset.change = String(moved[k]);
    });
    const order = moved.map((change, k) => [Math.abs(change), k]).filter(([size]) => size > 0).sort((a, b) => b[0] - a[0]).slice(0, 3);
    explained.textContent = Number.isNaN(here) ? "" : order.length
      ? `Most comes from ${order.map(([, k]) => `${fields[k].column.name} (${fields[k].contribution.title})`).join(", ")}: the change of the answer against the field's usual value, one field at a time.`
      : "Every field has its usual value, or changes nothing.";
  }

  let asking = 0;
  function changed() {
    const faults = fields.map(one => one.fault()).filter(Boolean);
    fields.forEach(one => one.remark());
    if (faults.length) return fail(faults.join(" "));
    const row = Object.fromEntries(fields.map(one => [one.column.name, one.value()]));
    const values = fields.map(one => taken(one.column, one.value()));
    try {
      const local = evaluate ? evaluate(values) : null;
      if (local) { show(local); contribute(values, local); }
      if (told.mode === "server") {
        clearTimeout(asking);
        asking = setTimeout(() => ask(row), local ? 600 : 250);
      }
    } catch (error) { fail(error.message); }
  }

  // With a server: POST predict {rows: [row]}, POST outcomes {outcomes: [{prediction_id, outcome}]}; a token where it asks for one.
  let token = "";
  async function post(path, body) {
    const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const content = await response.json().catch(() => ({}));
    if (response.status === 401 || response.status === 403) { askForToken(); throw new Error("The server asks for a token."); }
    if (response.status === 422) {
      const problems = Array.isArray(content) ? content : [];
      throw new Error(problems.length ? problems.map(one => `${one.field}: ${one.problem}; expected ${one.expected}`).join(". ") : "The server refuses this row.");
    }
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    return content;
  }
  async function ask(row) {
    try {
      const found = (await post("predict", { rows: [row] })).predictions[0];
      const probabilities = !isShare ? null : positive !== null ? [1 - found.probability, found.probability] : told.classes.map(name => found[`probability_${name}`]);
      show({ prediction: found.prediction, probabilities });
      if (found.prediction_id) offerOutcome(found.prediction_id);
    } catch (error) { fail(error.message); }
  }
  function offerOutcome(id) {
    const chosen = told.classes.length ? element("select", { "aria-label": "What it was" }, ...told.classes.map((name, k) => element("option", { value: k }, String(name))))
      : element("input", { type: "number", step: "any", "aria-label": "What it was" });
    const send = element("button", { type: "button" }, "Give the outcome back"), said = element("span", { class: "quiet", role: "status" });
    send.addEventListener("click", async () => {
      try {
        await post("outcomes", { outcomes: [{ prediction_id: id, outcome: told.classes.length ? told.classes[Number(chosen.value)] : Number(chosen.value) }] });
        said.textContent = " Kept.";
      } catch (error) { said.textContent = ` ${error.message}`; }
    });
    reply.replaceChildren(element("span", { class: "quiet" }, `Prediction ${id}. `), chosen, " ", send, said);
  }
  function askForToken() {
    if (reply.querySelector("[type=password]")) return;
    const box = element("input", { type: "password", "aria-label": "Token", autocomplete: "off" }), use = element("button", { type: "button" }, "Use the token");
    use.addEventListener("click", () => { token = box.value.trim(); reply.replaceChildren(); changed(); });
    reply.replaceChildren(box, " ", use);
  }

  fill(told.examples[0] || told.usual);
  performance.mark("answered");
})();
