// Light or dark. A classic script in the head, so that the page is never shown in the wrong colours first.
(() => {
  const KEY = "patsearch.theme";
  const root = document.documentElement;

  /** @returns {string | null} the remembered choice; storage may be switched off */
  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };

  /** @param {string} theme */
  const apply = (theme) => {
    root.dataset.theme = theme;
  };

  const chosen = remembered();
  if (chosen === "light" || chosen === "dark") apply(chosen);

  document.addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme-toggle");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
    toggle.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      apply(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // Not remembered then.
      }
    });
  });
})();
