// The window one writes in: one at a time. On wide screens it lies over the page, can be moved, sized, made small and large;
// on small ones it fills the screen. What was typed outlives everything but its own closing.

import { signal } from '@preact/signals'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { downloadUrl, jmapSession } from '../../api/jmap/client'
import type { Id } from '../../api/jmap/types'
import { Actions, attempt, Button, confirm, Dialog, Icon, Menu, toast, type MenuItem } from '../../kit'
import { size } from '../../lib/format'
import { explain } from '../../lib/problem'
import { recall, remember } from '../../lib/storage'
import { composeShown, composing, refreshScheduled, type ComposeStart } from '../compose'
import { identities, preferences, session } from '../model'
import { noteWriting } from '../place'
import { flaw, isSame, parseAddresses, writeAddress, type Address } from './addresses'
import { begin, converted } from './beginning'
import { abilities, Composition, reopened, type Abilities, type Objection } from './composition'
import { included, type Attachment, type Draft, type TLSChoice } from './drafts'
import { HTMLBody } from './editor'
import { Objections, SendLater } from './later'
import { forgetSuggestions } from './people'
import { RecipientField } from './recipients'
import { senderOf } from './reply'
import { restored } from './restoring'
import { canRequireTLS, securityOf } from './security'
import { isFormatted } from './text'
import './compose.css'

const current = signal<Composition | null>(null)
type Shape = 'normal' | 'small' | 'large'
const shape = signal<Shape>('normal')
const able = signal<Abilities>({ mostDelaySeconds: 0, requireTLS: false })

/** What had the focus before the window was there. */
let before: Element | null = null

function show(composition: Composition | null, start: ComposeStart | null): void {
  if (composition && !current.peek()) before = document.activeElement
  else if (!composition && before instanceof HTMLElement && before.isConnected) {
    const place = before
    requestAnimationFrame(() => { if (document.activeElement === document.body) place.focus() })
  }
  current.value = composition
  composing.value = start
  noteWriting(composition?.id ?? null)
  composeShown.value = composition !== null
  if (composition && shape.peek() === 'small') shape.value = 'normal'
}

/** Begins a message. One that is being written is saved first, and stays if that fails. */
export async function open(start: ComposeStart): Promise<void> {
  const written = current.peek()
  if (written && start.kind === 'draft' && composing.peek()?.kind === 'draft' && composing.peek()?.emailId === start.emailId) {
    reshape('normal')
    return
  }
  if (written && !await putAway(written)) return
  void abilities().then(found => { able.value = found }, () => undefined)
  try {
    show(new Composition(await begin(start)), start)
  } catch (error) {
    toast(explain(error), 'bad')
  }
}

async function putAway(composition: Composition): Promise<boolean> {
  if (composition.isWritten) {
    if (!await composition.save()) {
      reshape('normal')
      toast('What you are writing could not be saved. Send or close it first.', 'bad')
      return false
    }
    toast('The message you were writing is in Drafts.')
  }
  composition.leave()
  return true
}

async function reopen(draftId: Id, draft: Draft): Promise<void> {
  const written = current.peek()
  if (written && !await putAway(written)) return
  try {
    show(new Composition(await reopened(draftId, draft)), { kind: 'draft', emailId: draftId })
  } catch (error) {
    toast(explain(error), 'bad')
  }
}

/** Goes on with what could not be saved before. */
export async function openKept(before: Draft): Promise<void> {
  const { draft, files, lost } = await restored(before, isOnServer)
  const composition = new Composition({ draft, draftId: null, messageId: null, cursor: 0, isList: false, title: draft.subject || 'Draft' })
  show(composition, { kind: 'new' })
  composition.resume(files)
  if (lost.length > 0) toast(`Attach again, since it could not be kept: ${lost.join(', ')}`, 'warn', { seconds: Infinity })
  void composition.save()
}

/** Whether the server still has what was attached. */
async function isOnServer({ blobId, name, type }: Attachment): Promise<boolean> {
  try {
    const url = downloadUrl(await jmapSession(), blobId ?? '', name, type)
    return (await fetch(url, { method: 'HEAD', credentials: 'same-origin', cache: 'no-store' })).status !== 404
  } catch {
    // Saving will tell.
    return true
  }
}

function reshape(next: Shape): void {
  shape.value = next
  composeShown.value = current.peek() !== null && next !== 'small'
}

export function ComposeWindow() {
  const composition = current.value
  return composition && <Window key={composition} composition={composition} />
}

interface Place { left: number, top: number, width: number, height: number }
const PLACE = 'webmail.compose'
const LEAST = { width: 380, height: 320 }

function recallPlace(): Place | null {
  const [left, top, width, height] = (recall(PLACE) ?? '').split(' ').map(Number)
  return left === undefined || top === undefined || width === undefined || !height ? null : { left, top, width, height }
}

/** Within what is seen, whatever became of the window since. */
function within({ left, top, width, height }: Place): Place {
  const wide = Math.min(Math.max(width, LEAST.width), innerWidth - 16), high = Math.min(Math.max(height, LEAST.height), innerHeight - 16)
  return { left: Math.min(Math.max(8, left), innerWidth - wide - 8), top: Math.min(Math.max(8, top), innerHeight - high - 8), width: wide, height: high }
}

const FIELDS = ['cc', 'bcc', 'replyTo'] as const
type Extra = (typeof FIELDS)[number]
const LABELS: Record<Extra | 'to', string> = { to: 'To', cc: 'Cc', bcc: 'Bcc', replyTo: 'Reply to' }
const CHANGES: Record<Composition['state']['value'], string> = { new: '', unsaved: 'Not saved yet', saving: 'Saving…', saved: 'Draft saved', failed: 'Not saved' }

function Window({ composition }: { composition: Composition }) {
  const draft = composition.draft.value, id = useId(), box = useRef<HTMLElement>(null)
  const [place, setPlace] = useState<Place | null>(recallPlace), [shownFields, setShown] = useState<readonly Extra[]>(() => FIELDS.filter(one => draft[one].length > 0))
  const [focused, setFocused] = useState<Extra | null>(null), [dialog, setDialog] = useState<'later' | 'close' | null>(null), [over, setOver] = useState(false)
  const [objections, setObjections] = useState<{ list: readonly Objection[], goOn: () => void } | null>(null), [tools, setTools] = useState(recall('webmail.tools') !== 'off')
  const files = useRef<HTMLInputElement>(null)
  const secure = preferences.value.showAddressSecurity, sending = composition.sending.value
  const first = useRef(draft)
  const title = draft.subject.trim() || composition.title
  const whole = [...draft.to, ...draft.cc, ...draft.bcc]

  // Verified TLS is required by itself where all recipients can keep to it.
  const capable = able.value.requireTLS && secure && !composition.isList && canRequireTLS(whole.map(one => securityOf(one.email).value))
  useEffect(() => {
    if (composition.choseTLS.peek()) return
    const wanted: TLSChoice = capable ? 'require' : 'default'
    if (composition.draft.peek().tls !== wanted) composition.change({ tls: wanted })
  }, [capable])

  useEffect(() => {
    const fit = () => setPlace(one => one && within(one))
    window.addEventListener('resize', fit)
    return () => window.removeEventListener('resize', fit)
  }, [])

  const addField = (name: Extra) => {
    if (!shownFields.includes(name)) setShown([...shownFields, name].sort((one, other) => FIELDS.indexOf(one) - FIELDS.indexOf(other)))
    setFocused(name)
    requestAnimationFrame(() => field(name)?.focus())
  }
  const field = (name: Extra | 'to') => box.current?.querySelector<HTMLInputElement>(`[data-field="${name}"] input`)

  const close = async () => {
    if (dialog || sending) return
    if (!composition.isWritten) {
      composition.leave()
      show(null, null)
    } else setDialog('close')
  }
  const send = async (options: { at?: Date, archive?: boolean } = {}) => {
    // What is still typed in a field becomes an address.
    if (document.activeElement instanceof HTMLElement && document.activeElement.closest('.recipients')) document.activeElement.blur()
    await Promise.resolve()
    const goOn = async () => {
      setObjections(null)
      if (!await composition.send({ at: options.at ?? null, archive: options.archive ?? false }, (draftId, before) => { void reopen(draftId, before) })) return
      forgetSuggestions()
      void refreshScheduled()
      show(null, null)
    }
    try {
      const list = await composition.objections()
      if (list.length > 0) setObjections({ list, goOn: () => { void goOn() } })
      else await goOn()
    } catch (error) {
      toast(explain(error), 'bad')
    }
  }
  const pressed = (event: KeyboardEvent) => {
    const ctrl = event.ctrlKey || event.metaKey
    // Plain keys within the window are never those of the page.
    if (!ctrl) event.stopPropagation()
    if (event.defaultPrevented || event.isComposing || event.altKey || (event.target as HTMLElement).closest('dialog')) return
    const name = `${ctrl ? 'ctrl+' : ''}${event.shiftKey ? 'shift+' : ''}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`
    const run = KEYS[name]?.({ send, close, addField, composition, hide, next })
    if (run === undefined) return
    event.preventDefault()
    event.stopPropagation()
  }
  const hide = () => {
    const name = (document.activeElement?.closest('[data-field]') as HTMLElement | null)?.dataset['field'] as Extra | undefined
    if (!name || !shownFields.includes(name) || draft[name].length > 0) return undefined
    if ((document.activeElement as HTMLInputElement).value !== '') return undefined
    setShown(shownFields.filter(one => one !== name))
    field('to')?.focus()
    return true
  }
  const next = () => {
    const missing = FIELDS.find(one => !shownFields.includes(one))
    if (missing) addField(missing)
  }

  const convert = async () => {
    composition.pull()
    const { mode, body, attachments } = composition.draft.peek(), to = mode === 'html' ? 'text' : 'html'
    if (to === 'text' && isFormatted(body) && !await confirm({ title: 'Write in plain text?', action: 'Plain text', harmless: true, consequences: ['Formatting and pictures within the text are lost.'] })) return
    // Pictures that no longer stand in the text would go unseen.
    composition.replaceBody({ body: converted(body, mode, to), mode: to, attachments: to === 'text' ? attachments.filter(one => one.cid === null) : attachments })
  }
  const attach = (list: readonly File[]) => {
    composition.pull()
    composition.attach(list)
  }
  const dragged = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    if (!over) setOver(true)
  }
  const more: (MenuItem | null)[] = [
    { text: draft.mode === 'html' ? 'Write in plain text' : 'Write with formatting', icon: draft.mode === 'html' ? 'plaintext' : 'letter', run: convert },
    ...(shownFields.includes('replyTo') ? [] : [{ text: 'Add Reply-To', icon: 'plus', run: () => addField('replyTo') } as const]),
    ...(draft.answer?.kind === 'forward' ? [{ text: 'Forward as a file', icon: 'mail', run: () => attempt(() => composition.wholeMessage()) } as const] : []),
    { text: 'Save draft', icon: 'file', run: () => composition.save() },
    null,
    { text: 'Remove draft', icon: 'trash', danger: true, run: () => removeDraft() },
  ]
  const removeDraft = async () => {
    if (composition.isWritten && !await confirm({ title: 'Remove this draft?', action: 'Remove draft', consequences: ['What you have written is lost.'] })) return
    if (await attempt(() => composition.remove())) show(null, null)
  }
  const sendMenu: (MenuItem | null)[] = [
    ...(able.value.mostDelaySeconds > 60 ? [{ text: 'Send later…', icon: 'clock', run: () => setDialog('later') } as const] : []),
    ...(draft.answer ? [{ text: 'Send and archive thread', icon: 'send', run: () => send({ archive: true }) } as const] : []),
  ]
  const now = shape.value
  return <>
    <section ref={box} class={`compose ${now}${over ? ' over' : ''}${place && now === 'normal' ? ' placed' : ''}`} aria-label={`Writing: ${title}`} onKeyDown={pressed}
      style={place && now === 'normal' ? { left: `${place.left}px`, top: `${place.top}px`, width: `${place.width}px`, height: `${place.height}px` } : {}}
      onDragOver={dragged} onDragLeave={event => { if (!box.current?.contains(event.relatedTarget as Node | null)) setOver(false) }} onDrop={event => {
        setOver(false)
        if (!event.dataTransfer?.files.length || event.defaultPrevented) return
        event.preventDefault()
        attach([...event.dataTransfer.files])
      }} onPaste={event => {
        if (event.defaultPrevented || !event.clipboardData?.files.length || event.clipboardData.types.includes('text/plain')) return
        event.preventDefault()
        attach([...event.clipboardData.files])
      }}>
      <Head title={title} box={box} onPlace={setPlace} state={CHANGES[composition.state.value]} problem={composition.state.value === 'failed' ? composition.problem.value : ''} onClose={close} />
      {now !== 'small' && <>
        {composition.conflict.value && <Conflict composition={composition} />}
        {composition.refused.value !== '' && <div class="conflict refused" role="alert">
          <Icon name="warning" size={16} /><span>It was not sent. {composition.refused.value}</span>
          <Button tone="quiet" small square icon="cross" onPress={() => { composition.refused.value = '' }}>Close this</Button>
        </div>}
        <div class="composefields">
          <From composition={composition} />
          <div data-field="to">
            <RecipientField label="To" addresses={draft.to} onChange={to => composition.change({ to })} secure={secure} focus={first.current.to.length === 0}
              known={whole} extra={<span class="more">
                {(['cc', 'bcc'] as const).filter(one => !shownFields.includes(one)).map(one => <button key={one} type="button" class="linklike" onClick={() => addField(one)}>{LABELS[one]}</button>)}
              </span>} />
          </div>
          {shownFields.map(name => <div key={name} data-field={name}>
            <RecipientField label={LABELS[name]} addresses={draft[name]} onChange={list => composition.change({ [name]: list })} secure={secure && name !== 'replyTo'} focus={focused === name} known={whole} />
          </div>)}
          <div class="composerow">
            <label for={`${id}-subject`} class="hidden">Subject</label>
            <input id={`${id}-subject`} class="composetext" value={draft.subject} placeholder="Subject" autocomplete="off" onInput={event => composition.change({ subject: event.currentTarget.value })} />
          </div>
        </div>
        <div class="composebody">
          {draft.mode === 'text' ? <TextBody composition={composition} focus={first.current.to.length > 0} />
            : session.value && <HTMLBody composition={composition} session={session.value} tools={tools} focus={first.current.to.length > 0} />}
        </div>
        <Attachments composition={composition} />
        <footer class="composefoot">
          <span class="split">
            <Button tone="primary" icon="send" busy={sending} title="Send (Ctrl Enter)" onPress={() => send()}>Send</Button>
            {sendMenu.length > 0 && <Menu label="More ways to send" items={sendMenu} square start />}
          </span>
          <Button tone="quiet" square icon="attach" onPress={() => files.current?.click()}>Attach files</Button>
          {draft.mode === 'html' && <Button tone="quiet" square icon="letter" pressed={tools} onPress={() => {
            setTools(!tools)
            remember('webmail.tools', tools ? 'off' : null)
          }}>Formatting</Button>}
          <TLS composition={composition} />
          <span class="space" />
          <Menu label="More" icon="more" items={more} square />
          <Button tone="quiet" square icon="trash" onPress={removeDraft}>Remove draft</Button>
        </footer>
        <input ref={files} type="file" multiple hidden aria-label="Files to attach" onChange={event => {
          attach([...event.currentTarget.files ?? []])
          event.currentTarget.value = ''
        }} />
        {over && <div class="dropzone" aria-hidden="true"><Icon name="attach" /> Attach</div>}
        {now === 'normal' && <Sizers box={box} onPlace={setPlace} />}
      </>}
    </section>
    {dialog === 'later' && <SendLater mostSeconds={able.value.mostDelaySeconds} onClose={() => setDialog(null)} onChoose={time => {
      setDialog(null)
      void send({ at: time })
    }} />}
    {dialog === 'close' && <CloseDialog composition={composition} onCancel={() => setDialog(null)} onClosed={() => show(null, null)} />}
    {objections && <Objections list={objections.list} onClose={() => setObjections(null)} onSend={objections.goOn} />}
  </>
}

interface KeyPlace {
  send: (options?: { archive?: boolean }) => Promise<void>
  close: () => Promise<void>
  addField: (name: Extra) => void
  composition: Composition
  hide: () => true | undefined
  next: () => void
}

const done = (run: unknown): true => {
  void run
  return true
}
/** Ctrl is Command as well. What answers undefined was none of ours. */
const KEYS: Record<string, (place: KeyPlace) => true | undefined> = {
  'ctrl+Enter': ({ send }) => done(send()),
  'ctrl+shift+Enter': ({ send }) => done(send({ archive: true })),
  'ctrl+s': ({ composition }) => done(composition.save()),
  'ctrl+w': ({ close }) => done(close()),
  Escape: ({ close }) => done(close()),
  'ctrl+shift+o': () => {
    document.querySelector<HTMLElement>('.compose [data-field="to"] input')?.focus()
    return true
  },
  'ctrl+shift+c': ({ addField }) => done(addField('cc')),
  'ctrl+shift+b': ({ addField }) => done(addField('bcc')),
  'ctrl+shift+y': ({ addField }) => done(addField('replyTo')),
  'ctrl+Backspace': ({ hide }) => hide(),
  'ctrl+shift++': ({ next }) => done(next()),
  'ctrl++': ({ next }) => done(next()),
}

interface HeadProps {
  title: string
  box: preact.RefObject<HTMLElement | null>
  onPlace: (place: Place | null) => void
  state: string
  problem: string
  onClose: () => unknown
}

/** Follows the pointer until it is let go. */
function follow(event: PointerEvent, move: (dx: number, dy: number) => void, end: () => void): void {
  if (event.button !== 0) return
  event.preventDefault()
  const target = event.currentTarget as HTMLElement, { clientX, clientY } = event
  target.setPointerCapture(event.pointerId)
  const moved = (one: PointerEvent) => move(one.clientX - clientX, one.clientY - clientY)
  const stop = () => {
    target.removeEventListener('pointermove', moved)
    end()
  }
  target.addEventListener('pointermove', moved)
  target.addEventListener('pointerup', stop, { once: true })
  target.addEventListener('pointercancel', stop, { once: true })
}

function startOf(box: preact.RefObject<HTMLElement | null>): Place {
  const { left, top, width, height } = box.current?.getBoundingClientRect() ?? new DOMRect()
  return { left, top, width, height }
}

function keepPlace(place: Place | null): void {
  remember(PLACE, place && [place.left, place.top, place.width, place.height].map(Math.round).join(' '))
}

function Head({ title, box, onPlace, state, problem, onClose }: HeadProps) {
  const now = shape.value
  const grab = (event: PointerEvent) => {
    if (now !== 'normal' || (event.target as HTMLElement).closest('button') || matchMedia('(max-width: 48rem)').matches) return
    const start = startOf(box)
    let last: Place | null = null
    follow(event, (dx, dy) => {
      if (!last && Math.abs(dx) + Math.abs(dy) < 4) return
      last = within({ ...start, left: start.left + dx, top: start.top + dy })
      onPlace(last)
    }, () => { if (last) keepPlace(last) })
  }
  return <header class="composehead" onPointerDown={grab} onDblClick={event => {
    if ((event.target as HTMLElement).closest('button')) return
    onPlace(null)
    keepPlace(null)
    reshape(now === 'small' ? 'normal' : 'small')
  }}>
    {now === 'small' ? <button type="button" class="linklike title" onClick={() => reshape('normal')}>{title}</button> : <h2 class="title">{title}</h2>}
    <span class={`state${problem ? ' bad' : ''}`} role="status" title={problem || undefined}>{state}</span>
    <Button tone="quiet" small square icon={now === 'small' ? 'up' : 'smaller'} onPress={() => reshape(now === 'small' ? 'normal' : 'small')}>{now === 'small' ? 'Show again' : 'Minimise'}</Button>
    <span class="composewide">
      <Button tone="quiet" small square icon={now === 'large' ? 'screen' : 'larger'} onPress={() => reshape(now === 'large' ? 'normal' : 'large')}>{now === 'large' ? 'Usual size' : 'Maximise'}</Button>
    </span>
    <Button tone="quiet" small square icon="cross" onPress={() => onClose()}>Close</Button>
  </header>
}

const EDGES = ['n', 'w', 'e', 's', 'nw', 'ne', 'sw', 'se'] as const

function Sizers({ box, onPlace }: Pick<HeadProps, 'box' | 'onPlace'>) {
  const grab = (event: PointerEvent, edge: (typeof EDGES)[number]) => {
    const start = startOf(box)
    let last: Place | null = null
    follow(event, (dx, dy) => {
      const width = edge.includes('w') ? start.width - dx : edge.includes('e') ? start.width + dx : start.width
      const height = edge.includes('n') ? start.height - dy : edge.includes('s') ? start.height + dy : start.height
      const wide = Math.max(LEAST.width, width), high = Math.max(LEAST.height, height)
      last = within({
        left: edge.includes('w') ? start.left + start.width - wide : start.left, top: edge.includes('n') ? start.top + start.height - high : start.top, width: wide, height: high,
      })
      onPlace(last)
    }, () => { if (last) keepPlace(last) })
  }
  return <>{EDGES.map(edge => <span key={edge} class={`sizer ${edge}`} aria-hidden="true" onPointerDown={event => grab(event, edge)} />)}</>
}

function From({ composition }: { composition: Composition }) {
  const { from } = composition.draft.value, id = useId(), people = identities.value.filter(one => !one.email.startsWith('*'))
  const [custom, setCustom] = useState<string | null>(null)
  const known = people.find(one => isSame(one.email, from.email) && (one.name || null) === from.name) ?? people.find(one => isSame(one.email, from.email))
  if (custom !== null) {
    const [one] = parseAddresses(custom), wrong = custom.trim() === '' ? null : flaw(one?.email ?? '') ?? (senderOf(one?.email ?? '', identities.value) ? null : 'The server may refuse this address: it is none of yours')
    const finish = () => {
      if (one && flaw(one.email) === null) composition.setFrom(one)
      setCustom(null)
    }
    return <div class="composerow">
      <label for={id}>From</label>
      <input id={id} class="composetext" value={custom} autofocus autocomplete="off" spellcheck={false} placeholder="Name <name@example.org>" title={wrong ?? undefined} aria-invalid={wrong !== null}
        onInput={event => setCustom(event.currentTarget.value)} onBlur={finish} onKeyDown={event => {
          if (event.key !== 'Enter' && event.key !== 'Escape') return
          event.preventDefault()
          event.stopPropagation()
          if (event.key === 'Enter') finish()
          else setCustom(null)
        }} ref={element => element?.focus()} />
    </div>
  }
  // One address and nothing else to choose needs no line of its own on small screens.
  return <div class={`composerow from${people.length < 2 ? ' single' : ''}`}>
    <label for={id}>From</label>
    <select id={id} value={known ? known.id : 'other'} onChange={event => {
      const value = event.currentTarget.value, chosen = people.find(one => one.id === value)
      if (chosen) composition.setFrom({ name: chosen.name || null, email: chosen.email } satisfies Address)
      else if (value === 'custom') {
        event.currentTarget.value = known ? known.id : 'other'
        setCustom(writeAddress(from))
      }
    }}>
      {people.map(one => <option key={one.id} value={one.id} selected={one.id === known?.id}>{writeAddress({ name: one.name || null, email: one.email })}</option>)}
      {!known && <option value="other" selected>{writeAddress(from)}</option>}
      <option value="custom">Another address…</option>
    </select>
  </div>
}

function TextBody({ composition, focus }: { composition: Composition, focus: boolean }) {
  const area = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const element = area.current
    if (!element) return
    element.setSelectionRange(composition.cursor, composition.cursor)
    if (focus) element.focus()
    // Browsers scroll to the end.
    if (composition.cursor === 0) element.scrollTop = 0
  }, [composition])
  const first = useRef(composition.draft.peek().body)
  return <textarea ref={area} class="textbody" aria-label="Message" value={composition.draft.value.body} spellcheck onInput={event => composition.change({ body: event.currentTarget.value })}
    onClick={({ currentTarget: element }) => {
      // A click into the empty room below the signature means the place above it.
      if (element.value !== first.current || element.selectionStart !== element.value.length) return
      element.setSelectionRange(composition.cursor, composition.cursor)
      first.current = ''
    }} />
}

const CHOICES: Record<TLSChoice, readonly [string, string]> = {
  default: ['TLS as usual', 'With TLS wherever a server offers it, verified where its domain asks for that'],
  require: ['Require verified TLS', 'It is delivered over verified TLS along the whole way, or it comes back'],
  insecure: ['Allow insecure delivery', 'It is delivered even where TLS cannot be verified or is not offered, whatever the domain asks for'],
}

function TLS({ composition }: { composition: Composition }) {
  const { tls } = composition.draft.value
  const choices = (['default', ...(able.value.requireTLS || tls === 'require' ? ['require'] as const : []), 'insecure'] as const)
  return <label class={`tls ${tls}`} title={CHOICES[tls][1]}>
    <Icon name={tls === 'require' ? 'lock' : tls === 'insecure' ? 'warning' : 'shield'} size={16} /><span class="hidden">TLS</span>
    <select value={tls} onChange={event => {
      composition.choseTLS.value = true
      composition.change({ tls: event.currentTarget.value as TLSChoice })
    }}>{choices.map(one => <option key={one} value={one} selected={one === tls} title={CHOICES[one][1]}>{CHOICES[one][0]}</option>)}</select>
  </label>
}

function Attachments({ composition }: { composition: Composition }) {
  const draft = composition.draft.value, inBody = new Set(included(draft).filter(one => one.cid !== null).map(one => one.key))
  const list = draft.attachments.filter(one => one.cid === null || (!inBody.has(one.key) && composition.uploads.has(one.key)))
  if (list.length === 0) return null
  const whole = list.filter(one => one.isIncluded).reduce((sum, one) => sum + one.size, 0)
  return <div class="composefiles" role="group" aria-label="Attachments">
    <ul>{list.map(one => <AttachmentRow key={one.key} one={one} composition={composition} />)}</ul>
    {list.length > 1 && <span class="muted small">{size(whole)} in all</span>}
  </div>
}

function AttachmentRow({ one, composition }: { one: Attachment, composition: Composition }) {
  const upload = composition.uploads.get(one.key), problem = upload?.problem.value ?? '', sent = upload?.sent.value ?? 0
  const share = one.size > 0 ? Math.min(100, Math.floor(100 * sent / one.size)) : 100
  return <li class={`composefile${problem ? ' wrong' : ''}${one.isIncluded ? '' : ' out'}`} title={problem || one.name}>
    {one.isForwarded ? <input type="checkbox" checked={one.isIncluded} aria-label={`Forward ${one.name}`} onChange={event => composition.update(one.key, { isIncluded: event.currentTarget.checked })} />
      : <Icon name={one.type.startsWith('image/') ? 'image' : 'file'} size={16} />}
    <span class="name">{one.name}</span>
    {problem && <button type="button" aria-label={`Send ${one.name} again`} title="Try again" onClick={() => composition.upload(one.key)}><Icon name="refresh" size={14} /></button>}
    <span class="muted small nowrap">{problem ? 'failed' : upload ? `${share}%` : size(one.size)}</span>
    {!one.isForwarded && <button type="button" aria-label={`Remove ${one.name}`} title="Remove" onClick={() => composition.detach(one.key)}><Icon name="cross" size={14} /></button>}
    {upload && !problem && <progress value={share} max={100} aria-label={`Sending ${one.name} to the server`} />}
  </li>
}

function CloseDialog({ composition, onCancel, onClosed }: { composition: Composition, onCancel: () => void, onClosed: () => void }) {
  const saveAndClose = async () => {
    if (!await composition.save()) {
      toast(composition.problem.peek() || 'It could not be saved', 'bad')
      onCancel()
      return
    }
    composition.leave()
    onClosed()
  }
  const existed = composing.peek()?.kind === 'draft'
  return <Dialog title="Keep this message?" onClose={onCancel}>
    <p>{existed ? 'You have changed the draft.' : 'It has not been sent.'}</p>
    <Actions>
      <Button onPress={onCancel}>Go on writing</Button>
      <Button tone="danger" onPress={async () => { if (await attempt(() => composition.remove(), 'Draft removed')) onClosed() }}>Remove draft</Button>
      {existed && <Button onPress={async () => { if (await attempt(() => composition.discard())) onClosed() }}>Discard changes</Button>}
      <Button tone="primary" autofocus onPress={saveAndClose}>Save draft</Button>
    </Actions>
  </Dialog>
}

function Conflict({ composition }: { composition: Composition }) {
  const [theirs, setTheirs] = useState<Id | null | undefined>(undefined)
  useEffect(() => { void composition.theirs().then(setTheirs, () => setTheirs(null)) }, [composition])
  return <div class="conflict" role="alert">
    <Icon name="warning" size={16} />
    <span>{theirs ? 'This draft was changed in another window or program.' : 'This draft was sent or removed in another window or program.'} What you see here is not saved.</span>
    <Button small onPress={() => composition.keepMine()}>Save as a draft of its own</Button>
    {theirs && <Button small onPress={async () => {
      composition.leave()
      show(null, null)
      await open({ kind: 'draft', emailId: theirs })
    }}>Open the other one</Button>}
  </div>
}
