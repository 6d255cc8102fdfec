// What is wrong with how a page is laid out: texts that overlap, leave their place or are cut off.
() => {
  const faults = [], boxes = [];
  const say = (kind, text) => faults.push(`${kind}: ${text.trim().replace(/\s+/g, ' ').slice(0, 80)}`);
  const clipped = (element, box) => {  // what of a box is seen through the boxes that scroll or hide
    for (let e = element; e && e !== document.documentElement; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
      const frame = e.getBoundingClientRect();
      box = {left: Math.max(box.left, frame.left), right: Math.min(box.right, frame.right),
             top: Math.max(box.top, frame.top), bottom: Math.min(box.bottom, frame.bottom)};
    }
    return box;
  };
  const scrolls = (element) => element.closest('.scroll') !== null;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest('svg') || !element.checkVisibility()) continue;
    let block = element;
    while (getComputedStyle(block).display === 'inline') block = block.parentElement;
    const frame = block.getBoundingClientRect(), range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      if (rect.left < frame.left - 1.5 || rect.right > frame.right + 1.5) say('text leaves its box', node.data);
      if (!scrolls(element) && (rect.left < -1 || rect.right > innerWidth + 1)) say('text leaves the page', node.data);
      const slack = rect.height * 0.15;  // a line's box is higher than its letters
      const box = {left: rect.left, right: rect.right, top: rect.top + slack, bottom: rect.bottom - slack};
      boxes.push({owner: node, text: node.data, ...clipped(element, box)});
    }
  }
  for (const svg of document.querySelectorAll('.picture svg')) {
    const frame = svg.getBoundingClientRect();
    if (frame.width < 1) continue;
    for (const group of svg.querySelectorAll('.t')) {
      const rect = group.getBoundingClientRect();
      if (rect.width < 0.5) continue;
      if (rect.left < frame.left - 0.5 || rect.right > frame.right + 0.5
          || rect.top < frame.top - 0.5 || rect.bottom > frame.bottom + 0.5) say('text leaves its picture', where(group));
      boxes.push({owner: group, text: where(group), left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom});
    }
  }
  function where(group) {
    return `${group.closest('figure').id} at ${Math.round(group.getBoundingClientRect().left)}`;
  }
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom; j++) {
      const a = boxes[i], b = boxes[j];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (a.owner !== b.owner && across > 0.5 && down > 0.5) say('texts overlap', `${a.text} / ${b.text}`);
    }
  }
  for (const element of document.querySelectorAll('body *')) {
    const style = getComputedStyle(element);
    if (element.closest('svg') || !['hidden', 'clip'].includes(style.overflowX)) continue;
    if (element.scrollWidth > element.clientWidth + 1) say('text is cut off', element.textContent);
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) say('the page scrolls sideways', `${root.scrollWidth} > ${root.clientWidth}`);
  return {faults: [...new Set(faults)], texts: boxes.length};
}
