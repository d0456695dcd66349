// Texts of search results, in which the server marks what was found (RFC 8621 §5).

export interface Marked { text: string, isFound: boolean }

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'", nbsp: ' ' }

/** HTML with nothing but `<mark>`, as texts. Whatever else it holds stays text. */
export function marked(html: string): Marked[] {
  return html.split(/(<mark>[\s\S]*?<\/mark>)/).filter(part => part !== '').map(part => {
    const inner = /^<mark>([\s\S]*)<\/mark>$/.exec(part)?.[1]
    return { text: (inner ?? part).replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name.toLowerCase()] ?? whole), isFound: inner !== undefined }
  })
}
