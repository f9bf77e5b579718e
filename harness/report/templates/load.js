"use strict";
/* Plotly lies in the page deflated, at two fifths of its size.  `Loaded` is fulfilled once it runs. */
const Loaded = (async () => {
  const bytes = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
  document.head.append(script);
})().catch((error) => {
  for (const figure of document.querySelectorAll("figure.plot")) {
    figure.textContent = `This browser cannot draw (${error.message}); the tables hold every figure.`;
  }
}).then(() => { document.documentElement.dataset.ready = "true"; });
