// Buttons that copy the text of an element: <button data-copy="its id" data-copied="said then">.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard; // only where the connection is secure
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2_000);
  });
}
