// Every page: the chosen theme, applied before anything is painted, and the list of keys.

"use strict";

{
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  /** Apply a theme (auto, light or dark) and tell whoever paints by it. */
  const applyTheme = (theme) => {
    root.dataset.theme = theme;
    const isDark = theme === "auto" ? systemIsDark.matches : theme === "dark";
    root.classList.toggle("dark-mode", isDark); // Swagger UI looks for this
    document.dispatchEvent(new Event("themechange"));
  };

  // The admin keeps its choice under the same key. Storage may be blocked.
  const storedTheme = () => {
    try {
      return localStorage.getItem("theme") ?? "auto";
    } catch {
      return "auto";
    }
  };
  const storeTheme = (theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // The choice holds for this page only.
    }
  };

  applyTheme(storedTheme());
  systemIsDark.addEventListener("change", () => applyTheme(root.dataset.theme));

  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.querySelector("[data-theme-choice]");
    choice.value = root.dataset.theme;
    choice.addEventListener("change", () => {
      storeTheme(choice.value);
      applyTheme(choice.value);
    });

    const keys = document.querySelector("[data-keys-list]");
    const showKeys = () => keys.open || keys.showModal();
    document.querySelector("[data-show-keys]").addEventListener("click", showKeys);
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("textarea, select, input:not([type=file], [type=checkbox], [type=range])");
      if (event.key !== "?" || isTyping) return;
      event.preventDefault();
      showKeys();
    });
  });
}
