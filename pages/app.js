// Everything works without this file, passkeys excepted: it only makes things quicker.
"use strict";

// Times in the reader's own zone; the original stays as the title.
const moment = new Intl.DateTimeFormat(document.documentElement.lang || undefined,
  { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.title = time.textContent;
    time.textContent = moment.format(at);
  }
}

// Copy buttons: data-copy names the element, data-copied says what the button says then.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard && !document.execCommand) {
    continue;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.innerText.trim());
    } catch {
      getSelection().selectAllChildren(from);
      if (!document.execCommand("copy")) {
        return;
      }
    }
    const state = document.getElementById("copy-state");
    if (state) {
      state.textContent = button.dataset.copied;
    }
    const words = button.textContent;
    button.style.minWidth = `${button.offsetWidth}px`;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

// A dialog takes the keyboard: its first field that is wrong, or its first; Escape is Cancel.
const errors = document.getElementById("errors");
const dialog = document.querySelector("dialog[open]");
if (errors) {
  errors.focus();
} else if (dialog) {
  const first = dialog.querySelector("input:not([type=hidden]), #token-value, select, button");
  if (first && !document.querySelector("[autofocus]")) {
    first.focus();
  }
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && dialog && dialog.dataset.cancel) {
    document.getElementById(dialog.dataset.cancel).click();
  }
});

// Enter in the field of a scope adds it; in any other field of the form it does what the last
// button does.
for (const form of document.querySelectorAll("form#token-form")) {
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT" && event.target.name !== "scope") {
      event.preventDefault();
      document.getElementById("create-token").click();
    }
  });
}

// An answer that goes to an application as a form (form_post.html).
const answer = document.querySelector("form[data-submit]");
if (answer) {
  answer.submit();
}

// A hint at a new password, never a rule. It is made here, for the password leaves the page with
// its form only: what is left without what everybody takes, and how little of that repeats itself.
const taken = new RegExp("pass(?:wor[dt]|e)?|mot ?de|contrase[nñ]a|q[uw]ert[yz]*|azerty|asdf|letmein|"
  + "welcome|iloveyou|admin|dragon|monkey|login|0?123456?7?8?9?0?|(?:19|20)\\d\\d|(.)\\1\\1+", "g");
function freshPairs(text) {
  const pairs = new Set();
  for (let i = 2; i < text.length; i++) {
    const step = text.charCodeAt(i) - text.charCodeAt(i - 1);
    if (step !== text.charCodeAt(i - 1) - text.charCodeAt(i - 2)) {
      pairs.add(text.slice(i - 1, i + 1));
    }
  }
  return pairs.size;
}
for (const hint of document.querySelectorAll("[data-of]")) {
  const field = document.getElementById(hint.dataset.of);
  field.addEventListener("input", () => {
    const text = field.value.toLowerCase();
    const names = [field.form.username, field.form.email]
      .map((input) => input ? input.value.toLowerCase().split("@")[0] : "");
    let kind = freshPairs(text.replace(taken, "")) < 5 ? "weak" : "enough";
    if (names.some((name) => name.length > 2 && text.includes(name))) {
      kind = "named";
    }
    if ([...text].length < Number(hint.dataset.min)) {
      kind = "short";
    }
    const words = text ? hint.dataset[kind] : "";
    if (hint.textContent !== words) {
      hint.textContent = words;
    }
  });
}

// What was sent is not sent twice.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) {
    event.preventDefault();
  }
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});

// Passkeys (WebAuthn): the form carries what the server asks, and takes the answer back to it.
const fromBase64url = (text) => Uint8Array.from(
  atob(text.replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
const toBase64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes || [])))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const fromDescriptors = (list) => list.map((item) => ({ ...item, id: fromBase64url(item.id) }));

async function askPasskey(form) {
  const asked = JSON.parse(form.dataset.options);
  asked.challenge = fromBase64url(asked.challenge);
  asked.allowCredentials = fromDescriptors(asked.allowCredentials);
  const found = await navigator.credentials.get({ publicKey: asked });
  form.credential.value = toBase64url(found.rawId);
  form.client_data.value = toBase64url(found.response.clientDataJSON);
  form.authenticator_data.value = toBase64url(found.response.authenticatorData);
  form.signature.value = toBase64url(found.response.signature);
  form.user_handle.value = toBase64url(found.response.userHandle);
}

async function makePasskey(form) {
  const asked = JSON.parse(form.dataset.options);
  asked.challenge = fromBase64url(asked.challenge);
  asked.user.id = fromBase64url(asked.user.id);
  asked.excludeCredentials = fromDescriptors(asked.excludeCredentials);
  const made = await navigator.credentials.create({ publicKey: asked });
  form.credential.value = toBase64url(made.rawId);
  form.client_data.value = toBase64url(made.response.clientDataJSON);
  form.attestation.value = toBase64url(made.response.attestationObject);
  form.transports.value = made.response.getTransports ? made.response.getTransports().join(" ") : "";
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) {
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-failed]");
    failed.textContent = "";
    try {
      await (form.dataset.passkey === "get" ? askPasskey(form) : makePasskey(form));
      form.submit();
    } catch {
      failed.textContent = failed.dataset.failed;
      delete form.dataset.sent;
    }
  });
}
for (const element of document.querySelectorAll(".no-script")) {
  element.hidden = Boolean(window.PublicKeyCredential);
}
