(() => {
  const $ = id => document.getElementById(id);
  const parse = html => new DOMParser().parseFromString(html, 'text/html');
  const keyOf = node => (node.nodeType === 1 && node.dataset.key) || null;
  const link = $('link'), said = $('said');
  document.documentElement.classList.add('js');

  // Makes a part of the page what another one is, and leaves alone what is the same: focus, selection and place stay.
  const become = (have, want) => {
    if (have.nodeType !== 1) {
      if (have.data !== want.data) have.data = want.data;
      return;
    }
    for (const { name } of [...have.attributes]) if (!want.hasAttribute(name)) have.removeAttribute(name);
    for (const { name, value } of want.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    const keyed = new Map([...have.children].filter(keyOf).map(child => [keyOf(child), child]));
    const wanted = new Set([...want.children].map(keyOf));
    let at = have.firstChild;
    const passGone = () => {
      while (at && keyOf(at) && !wanted.has(keyOf(at))) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
    };
    for (const next of [...want.childNodes]) {
      passGone();
      const key = keyOf(next);
      const same = key ? keyed.get(key) : at && !keyOf(at) && at.nodeName === next.nodeName ? at : null;
      if (!same) {
        have.insertBefore(next, at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else have.insertBefore(same, at);
      become(same, next);
    }
    while (at) {
      const rest = at;
      at = at.nextSibling;
      rest.remove();
    }
  };

  // Live, while the page is visible.
  let source = null, again = 0;
  const tell = (text, mood) => {
    link.textContent = text;
    link.className = mood;
  };
  const listen = () => {
    clearTimeout(again);
    if (document.hidden || source) return;
    source = new EventSource('/status/events');
    source.onopen = () => tell('live', 'alive');
    source.onmessage = event => {
      tell('live', 'alive');
      become($('live'), parse(event.data).getElementById('live'));
    };
    source.onerror = () => {
      tell('not live: this balancer cannot be reached, or has too many viewers', 'lost');
      if (source.readyState !== EventSource.CLOSED) return;
      source = null;
      again = setTimeout(listen, 5000);
    };
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) return listen();
    if (source) source.close();
    source = null;
    tell('paused', '');
  });
  listen();

  // One session.
  const lookup = $('lookup');
  if (lookup) lookup.addEventListener('submit', async event => {
    event.preventDefault();
    try {
      const response = await fetch(lookup.action, { method: 'POST', headers: { accept: 'text/html' }, body: new URLSearchParams(new FormData(lookup)), cache: 'no-store' });
      const answer = parse(await response.text());
      for (const part of ['answer', 'trail']) become($(part), answer.getElementById(part));
    } catch {
      $('answer').textContent = 'This balancer cannot be reached.';
    }
  });

  // Operations. The key lives as long as this page does, and is sent to this balancer only.
  const ask = $('ask');
  if (!ask) return;
  let key = '', wish = null;
  const run = async () => {
    const { operation, replica } = wish;
    said.textContent = `${operation === 'drain' ? 'Draining' : 'Resuming'} ${replica} …`;
    try {
      const response = await fetch(`/operations/replicas/${encodeURIComponent(replica)}/${operation}`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, cache: 'no-store' });
      const result = await response.json().catch(() => ({}));
      if (response.status === 401) key = '';
      said.textContent = !response.ok ? result.error || `The balancer answered ${response.status}.`
        : operation === 'drain' ? `${replica} drains. Sessions left: ${result.sessions}.`
        : `${replica} takes sessions again.`;
    } catch {
      said.textContent = 'This balancer cannot be reached. Look at the state of the replica before you try again.';
    }
  };
  document.addEventListener('click', event => {
    const button = event.target.closest('button[data-operation]');
    if (!button) return;
    wish = { ...button.dataset };
    const drain = wish.operation === 'drain';
    $('ask-title').textContent = `${drain ? 'Drain' : 'Resume'} ${wish.replica}?`;
    $('ask-text').textContent = drain
      ? 'Its sessions move to other replicas between their calls, and it gets no new ones. It stays up until you stop or resume it. Clients do not notice.'
      : 'It takes sessions again.';
    $('ask-yes').textContent = drain ? 'Drain' : 'Resume';
    $('ask-key').value = key;
    ask.showModal();
    (key ? $('ask-yes') : $('ask-key')).focus();
  });
  $('ask-no').addEventListener('click', () => ask.close());
  $('ask-form').addEventListener('submit', event => {
    event.preventDefault();
    key = $('ask-key').value.trim();
    $('ask-key').value = '';
    ask.close();
    run();
  });
})();
