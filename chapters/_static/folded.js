// The theme lets the keyboard reach what scrolls, as found when the page was loaded or the window
// changed its size. What was folded then is looked at again when it unfolds.
for (const event of ["click", "toggle"])
  document.addEventListener(event, () => window.dispatchEvent(new Event("resize")), true);
