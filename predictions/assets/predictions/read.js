// Sends the form as soon as a picture was chosen or dropped, and shows it meanwhile.
// Without this module the form works by its button.

const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const progress = form.querySelector("[data-progress]");
const problem = form.querySelector("[data-error]");
const drop = input.parentElement;
const chosen = new Image();

chosen.className = "chosen";
chosen.alt = "";
chosen.hidden = true;
drop.prepend(chosen);
form.querySelector("[data-send]").hidden = true;

function say(words) {
  problem.hidden = !words;
  problem.textContent = words;
  input.setAttribute("aria-invalid", String(words !== ""));
}

function show(file) {
  URL.revokeObjectURL(chosen.src);
  chosen.hidden = true;
  // A format that the browser cannot show stays hidden; the site may read it all the same.
  chosen.onload = () => {
    chosen.hidden = false;
  };
  chosen.src = URL.createObjectURL(file);
}

function send() {
  const [file] = input.files;
  if (!file) return;
  if (file.size > Number(form.dataset.maxBytes)) {
    form.reset();
    say(form.dataset.tooLarge);
    return;
  }
  say("");
  show(file);
  form.classList.add("sending");
  progress.textContent = form.dataset.reading;
  form.requestSubmit();
}

input.addEventListener("change", send);

for (const [event, over] of [["dragenter", true], ["dragleave", false], ["drop", false]]) {
  input.addEventListener(event, () => drop.classList.toggle("over", over));
}

// A page that one comes back to must not look as if it were still sending, nor send again.
function begin() {
  form.reset();
  form.classList.remove("sending");
  progress.textContent = "";
  chosen.hidden = true;
}

begin();
window.addEventListener("pageshow", (event) => {
  if (event.persisted) begin();
});
