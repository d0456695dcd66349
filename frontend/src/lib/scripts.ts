// Which scripts a name's letters are of (Unicode Technical Standard 39, §5, much simplified).

const SCRIPTS = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Georgian', 'Hangul', 'Thai', 'Devanagari']
  .map(name => new RegExp(`\\p{Script=${name}}`, 'u'))
/** Chinese and Japanese are written with several scripts, and with Latin letters between them. */
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}]/u

/** Whether one label of a name has letters of more than one script. */
export function mixedScripts(text: string): boolean {
  return text.split('.').some(label => {
    const count = SCRIPTS.filter(script => script.test(label)).length
    return count > 1 || (count === 1 && EAST_ASIAN.test(label) && !SCRIPTS[0]?.test(label) && !/\p{Script=Hangul}/u.test(label))
  })
}

const NAMES = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Georgian', 'Hangul', 'Thai', 'Devanagari', 'Han', 'Hiragana', 'Katakana', 'Bopomofo']
  .map(name => [name, new RegExp(`\\p{Script=${name}}`, 'u')] as const)

/** The text in pieces, each with the script its letters are of; signs and digits belong to what is before them. */
export function runs(text: string): [script: string, part: string][] {
  const found: [string, string][] = []
  for (const sign of text) {
    const script = NAMES.find(([, is]) => is.test(sign))?.[0], last = found.at(-1)
    if (last && (script === undefined || script === last[0] || last[0] === '')) {
      last[0] ||= script ?? ''
      last[1] += sign
    } else found.push([script ?? '', sign])
  }
  return found
}
