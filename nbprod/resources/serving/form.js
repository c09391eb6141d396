"use strict";
/* The form of a served model: asks POST /predict, shows the answer, gives an outcome back by one click. */
const setup = JSON.parse(document.getElementById("setup").textContent);
const form = document.getElementById("ask");
const said = document.getElementById("said");
const result = document.getElementById("result");
const truth = document.getElementById("truth");
const headers = () => {
  const token = window.nbprodToken || "";
  return { "content-type": "application/json", ...(token ? { authorization: "Bearer " + token } : {}) };
};

function value(field) {
  const given = form.elements["field-" + field.number].value;
  if (given === "") return null;
  if (field.kind === "boolean") return given === "true";
  if (field.kind === "choice") return field.choices[Number(given)];
  return field.kind === "number" ? Number(given) : given;
}

function say(text, isBad) {
  said.textContent = text;
  said.className = isBad ? "alarm" : "quiet";
}

function mark(problems) {
  for (const field of setup.fields) {
    const found = problems.filter((one) => one.field === field.name);
    const input = form.elements["field-" + field.number];
    const note = document.getElementById("note-" + field.number);
    note.textContent = found.map((one) => one.problem + "; expected " + one.expected).join(". ");
    input.setAttribute("aria-invalid", found.length ? "true" : "false");
  }
}

async function ask(event) {
  event.preventDefault();
  const row = {};
  for (const field of setup.fields) row[field.name] = value(field);
  say("Asking …", false);
  result.hidden = true;
  try {
    const answer = await fetch("/predict", { method: "POST", headers: headers(), body: JSON.stringify({ rows: [row] }) });
    const body = await answer.json();
    mark(Array.isArray(body) ? body : []);
    if (!answer.ok) {
      say(Array.isArray(body) ? "Some fields cannot be taken." : body.error, true);
      return;
    }
    show(body.version, body.predictions[0]);
  } catch {
    say("The server does not answer.", true);
  }
}

function show(version, prediction) {
  say("", false);
  const list = document.getElementById("values");
  list.replaceChildren();
  for (const [name, what] of Object.entries({ ...prediction, version })) {
    const term = document.createElement("dt");
    const fact = document.createElement("dd");
    term.textContent = name.replaceAll("_", " ");
    fact.textContent = typeof what === "number" ? String(Number(what.toPrecision(6))) : String(what);
    fact.dataset.name = name;
    fact.dataset.value = JSON.stringify(what);
    list.append(term, fact);
  }
  truth.dataset.prediction = prediction.prediction_id;
  for (const button of truth.querySelectorAll("button")) button.disabled = false;
  document.getElementById("thanks").textContent = "";
  result.hidden = false;
  result.focus();
}

async function tell(outcome) {
  const thanks = document.getElementById("thanks");
  const body = JSON.stringify({ outcomes: [{ prediction_id: truth.dataset.prediction, outcome }] });
  try {
    const answer = await fetch("/outcomes", { method: "POST", headers: headers(), body });
    const told = await answer.json();
    if (!answer.ok) thanks.textContent = Array.isArray(told) ? "Expected " + told[0].expected + "." : told.error;
    else {
      thanks.textContent = "Kept: the outcome of this prediction is " + outcome + ".";
      for (const button of truth.querySelectorAll("button")) button.disabled = true;
    }
  } catch {
    thanks.textContent = "The server does not answer.";
  }
}

form.addEventListener("submit", ask);
document.getElementById("example").addEventListener("click", () => {
  for (const field of setup.fields) form.elements["field-" + field.number].value = field.example;
});
truth.addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLButtonElement)) return;
  const number = event.target.dataset.outcome;
  if (number !== undefined) tell(setup.classes[Number(number)]);
  else {
    const given = document.getElementById("number").value;
    if (given !== "") tell(Number(given));
  }
});
