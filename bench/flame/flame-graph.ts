// Draws a flame graph as SVG from stacks and their numbers of samples. Does not depend on a profiler.

/** One stack, outermost frame first, and its number of samples. */
export interface Stack {
  frames: readonly string[]
  samples: number
}

interface Node {
  name: string
  samples: number
  children: Map<string, Node>
}

const WIDTH = 1200
const ROW = 17
const TOP = 28
const CHARACTER = 6.6
/** Minimum width of a box. Narrower boxes are not drawn: they would be too small to read or to point at. */
const NARROWEST = 0.6

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

function treeOf(stacks: readonly Stack[]): Node {
  const top: Node = { name: 'all', samples: 0, children: new Map() }
  for (const { frames, samples } of stacks) {
    let node = top
    node.samples += samples
    for (const name of frames) {
      let child = node.children.get(name)
      if (child === undefined) {
        child = { name, samples: 0, children: new Map() }
        node.children.set(name, child)
      }
      child.samples += samples
      node = child
    }
  }
  return top
}

const depthOf = (node: Node): number => 1 + Math.max(0, ...[...node.children.values()].map(depthOf))

/** Returns the SVG. `color`: color for a frame's name. `unit`: tool-tip text for a share of all samples. */
export function flameGraph(
  stacks: readonly Stack[],
  { title, color, unit }: { title: string; color: (name: string) => string; unit: (share: number) => string },
): string {
  const top = treeOf(stacks)
  const height = TOP + depthOf(top) * ROW + 8
  const boxes: string[] = []
  const draw = (node: Node, x: number, level: number): void => {
    const width = (node.samples / top.samples) * WIDTH
    if (width < NARROWEST) return
    const y = height - 8 - (level + 1) * ROW
    const fits = Math.floor((width - 4) / CHARACTER)
    const label = fits < 3 ? '' : node.name.length <= fits ? node.name : `${node.name.slice(0, fits - 1)}…`
    boxes.push(
      `<g><title>${escaped(node.name)}: ${unit(node.samples / top.samples)}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${color(node.name)}"/>` +
        (label ? `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(label)}</text>` : '') +
        '</g>',
    )
    let at = x
    const children = [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const child of children) {
      draw(child, at, level + 1)
      at += (child.samples / top.samples) * WIDTH
    }
  }
  draw(top, 0, 0)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${WIDTH / 2}" y="18" text-anchor="middle" font-size="14">${escaped(title)}</text>`,
    ...boxes,
    '</svg>',
    '',
  ].join('\n')
}
