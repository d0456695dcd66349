// The body in HTML, with its tools. The editor itself is loaded when it is first shown.

import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Session } from '../../api/jmap/types'
import { Actions, Button, Dialog, Icon, toast, type IconName } from '../../kit'
import { explain } from '../../lib/problem'
import { imagesOf } from './beginning'
import { newMessageId, type Composition } from './composition'
import type { Block, Editor, Inline } from './squire'

interface Props {
  composition: Composition
  session: Session
  /** Where the tools are put in sight. */
  tools: boolean
  focus: boolean
}

const INLINE: readonly (readonly [Inline, string, IconName])[] = [['B', 'Bold (Ctrl B)', 'bold'], ['I', 'Italic (Ctrl I)', 'italic'], ['U', 'Underline (Ctrl U)', 'underline'], ['S', 'Strike through', 'strike']]
const BLOCKS: readonly (readonly [Block, string, IconName])[] = [['UL', 'List', 'list'], ['OL', 'Numbered list', 'numbered'], ['BLOCKQUOTE', 'Quote', 'quote']]

export function HTMLBody({ composition, session, tools, focus }: Props) {
  const root = useRef<HTMLDivElement>(null), [editor, setEditor] = useState<Editor | null>(null), [active, setActive] = useState<ReadonlySet<string>>(new Set())
  const pictures = useRef(new Map<string, string>())
  const turn = composition.turn.value
  useLayoutEffect(() => {
    let made: Editor | null = null, gone = false
    void import('./squire').then(({ Editor, exported }) => {
      if (gone || !root.current) return
      const images = (cid: string) => pictures.current.get(cid) ?? imagesOf(composition.draft.peek().attachments, session)(cid)
      made = new Editor(root.current, images, error => toast(explain(error), 'bad'))
      made.setHTML(composition.draft.peek().body)
      if (focus) {
        made.focus()
        made.toCursor()
      }
      composition.read = () => exported(made?.getHTML() ?? '')
      made.addEventListener('input', () => composition.touch())
      const look = () => requestAnimationFrame(() => {
        if (gone || !made) return
        const one = made
        setActive(new Set([...INLINE.map(([tag]) => tag), ...BLOCKS.map(([tag]) => tag), 'A'].filter(tag => one.hasFormat(tag))))
      })
      for (const kind of ['pathChange', 'select', 'input']) made.addEventListener(kind, look)
      setEditor(made)
    }, () => toast('The editor could not be loaded. Check the connection and try again.', 'bad'))
    return () => {
      gone = true
      composition.pull()
      composition.read = null
      made?.destroy()
      for (const url of pictures.current.values()) URL.revokeObjectURL(url)
    }
  }, [composition])
  const shown = useRef(turn)
  useEffect(() => {
    if (!editor || shown.current === turn) return
    shown.current = turn
    editor.setHTML(composition.draft.peek().body)
  }, [turn, editor])
  const picture = (files: readonly File[]) => {
    for (const file of files) {
      const cid = newMessageId(composition.draft.peek().from.email), url = URL.createObjectURL(file)
      pictures.current.set(cid, url)
      composition.attach([file], () => cid)
      editor?.insertImage(url, { 'data-cid': cid, alt: file.name })
    }
  }
  const pasted = (event: ClipboardEvent) => {
    const files = imagesIn(event.clipboardData)
    if (files.length === 0 || event.clipboardData?.types.includes('text/plain')) return
    event.preventDefault()
    event.stopPropagation()
    picture(files)
  }
  const dropped = (event: DragEvent) => {
    const files = imagesIn(event.dataTransfer)
    if (files.length === 0 || files.length !== event.dataTransfer?.files.length) return
    event.preventDefault()
    event.stopPropagation()
    picture(files)
  }
  return <>
    {!editor && <div class="editorwait muted">Loading the editor…</div>}
    <div class="htmlbody" ref={root} role="textbox" aria-multiline="true" aria-label="Message" tabIndex={0} onPasteCapture={pasted} onDropCapture={dropped} />
    {editor && tools && <Toolbar editor={editor} active={active} onPictures={picture} />}
  </>
}

function imagesIn(data: DataTransfer | null): File[] {
  return [...data?.files ?? []].filter(one => /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/.test(one.type))
}

function linkAt(editor: Editor): string {
  const range = editor.getSelection(), node = range.startContainer
  return (node instanceof Element ? node : node.parentElement)?.closest('a')?.getAttribute('href') ?? ''
}

interface ToolbarProps {
  editor: Editor
  active: ReadonlySet<string>
  /** Without: there are no pictures. */
  onPictures?: (files: readonly File[]) => void
}

const SIZE_NAMES = [['small', 'Small'], ['', 'Normal'], ['large', 'Large'], ['huge', 'Huge']] as const
const COLOUR_NAMES = ['red', 'orange', 'green', 'blue', 'purple', 'grey'] as const

export function Toolbar({ editor, active, onPictures }: ToolbarProps) {
  const file = useRef<HTMLInputElement>(null), [colours, setColours] = useState(false), [linking, setLinking] = useState<string | null>(null)
  const keep = (event: Event) => event.preventDefault()
  const tool = (tag: string, title: string, icon: IconName, run: () => void) => <button key={tag} type="button" class="tool" title={title} aria-label={title.replace(/ \(.*/, '')}
    aria-pressed={active.has(tag)} onMouseDown={keep} onClick={run}><Icon name={icon} size={16} /></button>
  return <div class="toolbar" role="toolbar" aria-label="Format" onKeyDown={event => {
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>('button, select')], at = all.indexOf(document.activeElement as HTMLElement)
    if (!(event.target instanceof HTMLButtonElement) || event.target.closest('dialog') || (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft')) return
    event.preventDefault()
    all[(at + (event.key === 'ArrowRight' ? 1 : all.length - 1)) % all.length]?.focus()
  }}>
    {INLINE.map(([tag, title, icon]) => tool(tag, title, icon, () => editor.toggle(tag)))}
    <span class="toolgap" />
    <select class="tool" aria-label="Size" title="Size" value="" onChange={event => {
      editor.size(event.currentTarget.value === 'normal' ? null : event.currentTarget.value)
      event.currentTarget.value = ''
      editor.focus()
    }}>
      <option value="" hidden>Size</option>
      {SIZE_NAMES.map(([value, text]) => <option key={value} value={value || 'normal'}>{text}</option>)}
    </select>
    <span class="colours">
      <button type="button" class="tool" title="Colour" aria-label="Colour" aria-expanded={colours} onMouseDown={keep} onClick={() => setColours(!colours)}><Icon name="drop" size={16} /></button>
      {colours && <span class="swatches" role="group" aria-label="Colours">
        {[...COLOUR_NAMES, null].map(name => <button key={name} type="button" class={`swatch ${name ? `colour-${name}` : 'none'}`} aria-label={name ?? 'No colour'} title={name ?? 'No colour'}
          onMouseDown={keep} onClick={() => {
            editor.colour(name)
            setColours(false)
          }} />)}
      </span>}
    </span>
    <span class="toolgap" />
    {BLOCKS.map(([tag, title, icon]) => tool(tag, title, icon, () => editor.toggleBlock(tag)))}
    <span class="toolgap" />
    {tool('A', 'Link', 'link', () => setLinking(linkAt(editor)))}
    {onPictures && tool('IMG', 'Picture', 'image', () => file.current?.click())}
    {tool('clear', 'Remove formatting', 'plaintext', () => editor.removeAllFormatting())}
    <input ref={file} type="file" accept="image/png,image/jpeg,image/gif,image/webp" multiple hidden aria-label="Pictures" onChange={event => {
      onPictures?.([...event.currentTarget.files ?? []])
      event.currentTarget.value = ''
    }} />
    {linking !== null && <LinkDialog url={linking} onClose={() => setLinking(null)} onDone={url => {
      setLinking(null)
      // After the dialog gave the focus back.
      requestAnimationFrame(() => {
        editor.focus()
        if (url === '') editor.removeLink()
        else editor.makeLink(url)
      })
    }} />}
  </div>
}

function LinkDialog({ url, onClose, onDone }: { url: string, onClose: () => void, onDone: (url: string) => void }) {
  const [text, setText] = useState(url || 'https://'), id = useId()
  const good = /^(?:https?:\/\/[^\s/]+|mailto:\S+@\S+|tel:\+?\d)/i.test(text.trim())
  return <Dialog title="Link" onClose={onClose}>
    <form class="stack" onSubmit={event => {
      event.preventDefault()
      // It may stand within another form.
      event.stopPropagation()
      if (good) onDone(text.trim())
    }}>
      <div class="field"><label for={id}>Address</label>
        <input id={id} class="input" type="url" value={text} autofocus autocomplete="off" spellcheck={false} onInput={event => setText(event.currentTarget.value)} /></div>
      <Actions>
        {url !== '' && <Button tone="danger" onPress={() => onDone('')}>Remove link</Button>}
        <Button onPress={onClose}>Cancel</Button>
        <Button type="submit" tone="primary" disabled={!good}>Set link</Button>
      </Actions>
    </form>
  </Dialog>
}
