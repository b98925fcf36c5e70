(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const main = byId("cards");
  const cards = [...main.querySelectorAll(".card")];
  if (!cards.length) return;
  const text = byId("text"), status = byId("status"), provider = byId("provider"), order = byId("order");
  const words = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));

  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const card of cards) {
      const shown = (!status.value || card.dataset.status === status.value)
        && (!provider || !provider.value || card.dataset.provider === provider.value)
        && wanted.every((word) => words.get(card).includes(word));
      card.hidden = !shown;
      found += shown;
    }
    byId("found").textContent = found === cards.length ? `${found} shown` : `${found} of ${cards.length} shown`;
    byId("nothing").hidden = found > 0;
  };

  const ways = {
    number: () => 0,
    status: (a, b) => a.dataset.status.localeCompare(b.dataset.status),
    amount: (a, b) => b.dataset.amount - a.dataset.amount,
    seconds: (a, b) => b.dataset.seconds - a.dataset.seconds,
  };
  const sort = () => {
    cards.sort((a, b) => ways[order.value](a, b) || a.dataset.number - b.dataset.number);
    main.append(...cards);
  };

  for (const field of [text, status, provider]) if (field) field.addEventListener("input", filter);
  order.addEventListener("input", sort);
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => { byId("tools").reset(); sort(); filter(); text.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); text.focus(); }
  });
  // One clip at a time.
  document.addEventListener("play", (event) => {
    for (const video of document.querySelectorAll("video")) if (video !== event.target) video.pause();
  }, true);
  // Later posters come as they scroll near.
  const late = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) {
      target.poster = target.dataset.poster;
      late.unobserve(target);
    }
  }, { rootMargin: "800px" });
  for (const video of document.querySelectorAll("video[data-poster]")) late.observe(video);

  byId("tools").hidden = false;
  sort();
  filter();
})();
