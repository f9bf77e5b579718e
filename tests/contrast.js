/* Text and symbols of a page that do not stand out from what lies behind them: WCAG 2.2, 1.4.3 and
   1.4.11 ask for 4.5 and 3.  Returns {what: [ratio, text]}. */
(() => {
  const rgb = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color[3]) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, color) => over(color, below), [255, 255, 255, 1]);
  };
  const found = {};
  const check = (element, least, name) => {
    const back = behind(element), front = rgb(getComputedStyle(element).color);
    for (let node = element; node; node = node.parentElement) front[3] *= Number(getComputedStyle(node).opacity);
    const pair = [luminance(over(front, back)), luminance(back)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < least) found[name] = [Math.round(100 * ratio) / 100, element.textContent.trim().slice(0, 30)];
  };
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest("script, .main-svg, .modebar, .sr, canvas") || !element.offsetParent) continue;
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
    if (own) check(element, 4.5, `${element.tagName}.${element.className} in ${element.parentElement.className}`);
  }
  for (const mark of document.querySelectorAll("svg.mark")) {
    if (mark.getBoundingClientRect().width) check(mark.parentElement, 3, mark.parentElement.className);
  }
  return found;
})()
