// Forms. useForm(initial, save) keeps values, errors and whether anything was changed; <Form model> shows the fields, a
// bar to save or discard once something was changed, and what the server found wrong. Leaving a page with changes asks
// first. Fields take `bind={model.field('Name')}`:
//   TextField, TextArea, NumberField, Checkbox, Select; ListField (a text, one value a line);
//   DurationField (nanoseconds, typed as 3d or 1h30m); SizeField (octets, typed as 500m or 2g).
// In a dialog use <Form model bar={false}> with buttons of your own, the one that saves of type submit.

import { computed, signal, type ReadonlySignal, type Signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import { parseDuration, parseSize, writeDuration, writeSize } from '../lib/format'
import { FieldErrors, explain } from '../lib/problem'
import { guardLeaving, unsaved } from '../lib/router'
import { Notice } from './badge'
import { Button } from './button'
import { toast } from './toast'
import './form.css'

export type Errors<T> = Partial<Record<keyof T & string, string>>

/** One value of a form, for a field. */
export interface Bound<V> {
  readonly name: string
  readonly value: V
  readonly error: string | undefined
  set(value: V): void
  /** What was typed is no value; undefined: it is one again. Saving has to wait. */
  fail(message: string | undefined): void
}

export interface FormModel<T extends object> {
  readonly values: Signal<T>
  readonly errors: Signal<Errors<T>>
  readonly problem: Signal<string>
  readonly busy: Signal<boolean>
  readonly isDirty: ReadonlySignal<boolean>
  /** Counts how often the values were replaced, so that fields forget what was typed. */
  readonly turn: Signal<number>
  field<K extends keyof T & string>(name: K): Bound<T[K]>
  /** Checks and saves. Whether it went well. */
  submit(): Promise<boolean>
  /** Back to what is saved, or to other values, which then count as saved. */
  reset(values?: T): void
}

export interface FormOptions<T> {
  save: (values: T) => Promise<unknown>
  /** Errors by field, before anything is sent. */
  check?: (values: T) => Errors<T>
  /** The toast of success; empty for none. */
  success?: string
  /** After saving. */
  done?: (values: T) => void
}

export function formModel<T extends object>(initial: T, options: () => FormOptions<T>): FormModel<T> {
  const values = signal(initial), saved = signal(initial), errors = signal<Errors<T>>({}), unreadable = signal<Errors<T>>({})
  const problem = signal(''), busy = signal(false), turn = signal(0)
  const isDirty = computed(() =>
    JSON.stringify(values.value) !== JSON.stringify(saved.value) || Object.keys(unreadable.value).length > 0)
  const model: FormModel<T> = {
    values, errors, problem, busy, isDirty, turn,
    field(name) {
      return {
        name,
        get value() { return values.value[name] },
        get error() { return unreadable.value[name] ?? errors.value[name] },
        set(value) {
          values.value = { ...values.value, [name]: value }
          if (errors.value[name] !== undefined) errors.value = without(errors.value, name)
          if (unreadable.value[name] !== undefined) unreadable.value = without(unreadable.value, name)
        },
        fail(message) {
          unreadable.value = message === undefined ? without(unreadable.value, name) : { ...unreadable.value, [name]: message }
        },
      }
    },
    async submit() {
      if (busy.value) return false
      const { save, check, success = 'Saved', done } = options(), sent = values.value
      errors.value = check?.(sent) ?? {}
      problem.value = ''
      if (Object.keys(errors.value).length > 0 || Object.keys(unreadable.value).length > 0) return false
      busy.value = true
      try {
        await save(sent)
      } catch (error) {
        if (error instanceof FieldErrors) errors.value = error.fields as Errors<T>
        else problem.value = explain(error)
        return false
      } finally {
        busy.value = false
      }
      saved.value = sent
      if (success) toast(success)
      done?.(sent)
      return true
    },
    reset(next) {
      if (next) saved.value = next
      values.value = saved.value
      errors.value = {}
      unreadable.value = {}
      problem.value = ''
      turn.value += 1
    },
  }
  return model
}

function without<T>(errors: Errors<T>, name: keyof T & string): Errors<T> {
  const left = { ...errors }
  delete left[name]
  return left
}

/** A form of a component. Other `initial` values (by content) replace what is shown, once nothing is changed. */
export function useForm<T extends object>(initial: T, options: FormOptions<T>): FormModel<T> {
  const latest = useRef(options)
  latest.current = options
  const model = useMemo(() => formModel(initial, () => latest.current), [])
  const content = JSON.stringify(initial), newest = useRef(initial), adopted = useRef(content)
  newest.current = initial
  const adopt = () => {
    const now = JSON.stringify(newest.current)
    if (now === adopted.current || model.isDirty.peek()) return
    adopted.current = now
    model.reset(newest.current)
  }
  useEffect(adopt, [content])
  useEffect(() => {
    const mark = {}
    const stop = model.isDirty.subscribe(dirty => {
      if (dirty) unsaved.add(mark)
      else unsaved.delete(mark)
      // What came meanwhile is shown when nothing typed would be lost.
      if (!dirty) adopt()
    })
    const unguard = guardLeaving(() => !model.isDirty.value || window.confirm('Leave this page? Your changes are not saved.'))
    return () => {
      stop()
      unguard()
      unsaved.delete(mark)
    }
  }, [model])
  return model
}

interface FormProps<T extends object> {
  model: FormModel<T>
  /** Without: somebody else shows buttons. */
  bar?: boolean
  save?: string
  children: ComponentChildren
}

export function Form<T extends object>({ model, bar = true, save = 'Save', children }: FormProps<T>) {
  const element = useRef<HTMLFormElement>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    if (!await model.submit())
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>('[aria-invalid="true"], .notice')?.focus())
  }
  return <form ref={element} class="form" noValidate onSubmit={submit}>
    {children}
    {model.problem.value !== '' && <Notice state="bad">{model.problem.value}</Notice>}
    {bar && model.isDirty.value && <div class="savebar">
      <span class="muted">Unsaved changes</span>
      <span class="row">
        <Button onPress={() => model.reset()}>Discard</Button>
        <Button type="submit" tone="primary" busy={model.busy.value}>{save}</Button>
      </span>
    </div>}
  </form>
}

/** Fields side by side where there is room. */
export function Fields({ children }: { children: ComponentChildren }) {
  return <div class="fields">{children}</div>
}

interface FieldProps {
  label: string
  help?: ComponentChildren
  error?: string | undefined
  children: (attributes: { id: string, 'aria-describedby'?: string, 'aria-invalid'?: true }) => ComponentChildren
}

/** Label, help and error around a control. */
export function Field({ label, help, error, children }: FieldProps) {
  const id = useId()
  const about = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ')
  return <div class="field">
    <label for={id}>{label}</label>
    {children({ id, ...(about ? { 'aria-describedby': about } : {}), ...(error ? { 'aria-invalid': true } : {}) })}
    {error && <span class="error" id={`${id}-error`}>{error}</span>}
    {help && <span class="help" id={`${id}-help`}>{help}</span>}
  </div>
}

interface TextProps {
  label: string
  bind: Bound<string>
  help?: ComponentChildren
  type?: 'text' | 'password' | 'email' | 'url' | 'search'
  placeholder?: string
  /** Behind the field: a unit, a domain. */
  suffix?: ComponentChildren
  mono?: boolean
  autocomplete?: string
  autofocus?: boolean
  disabled?: boolean
  maxLength?: number
}

export function TextField({ label, bind, help, suffix, mono, type = 'text', autocomplete = 'off', ...rest }: TextProps) {
  return <Field label={label} help={help} error={bind.error}>{attributes => {
    const input = <input class={`input${mono ? ' mono' : ''}`} type={type as 'text'} value={bind.value} {...attributes} {...rest}
      autocomplete={autocomplete} autocapitalize="off" spellcheck={false}
      onInput={event => bind.set(event.currentTarget.value)} />
    return suffix ? <span class="withsuffix">{input}<span class="suffix">{suffix}</span></span> : input
  }}</Field>
}

interface AreaProps {
  label: string
  bind: Bound<string>
  help?: ComponentChildren
  rows?: number
  mono?: boolean
  placeholder?: string
}

export function TextArea({ label, bind, help, rows = 4, mono, placeholder }: AreaProps) {
  return <Field label={label} help={help} error={bind.error}>{attributes =>
    <textarea class={`input${mono ? ' mono' : ''}`} rows={rows} value={bind.value} placeholder={placeholder}
      spellcheck={!mono} {...attributes} onInput={event => bind.set(event.currentTarget.value)} />
  }</Field>
}

interface ParsedProps<V> {
  label: string
  bind: Bound<V>
  help?: ComponentChildren
  placeholder?: string
  suffix?: ComponentChildren
}

interface Spelling<V> {
  parse: (text: string) => V | null
  write: (value: V) => string
  wrong: string
  inputMode?: 'numeric' | 'decimal' | 'text'
}

/** A field for values that are typed as text; what is no value is told and keeps the form from being saved. */
function ParsedField<V>({ label, bind, help, placeholder, suffix, spelling }: ParsedProps<V> & { spelling: Spelling<V> }) {
  const [text, setText] = useState(() => spelling.write(bind.value))
  // A value from elsewhere, as after discarding, replaces what was typed.
  const parsed = spelling.parse(text)
  const known = useRef(bind.value)
  if (known.current !== bind.value) {
    known.current = bind.value
    if (parsed !== bind.value) setText(spelling.write(bind.value))
  }
  const type = (next: string) => {
    setText(next)
    const value = spelling.parse(next)
    if (value === null) bind.fail(spelling.wrong)
    else {
      known.current = value
      bind.set(value)
    }
  }
  return <Field label={label} help={help} error={bind.error}>{attributes => {
    const input = <input class="input" value={text} placeholder={placeholder} inputMode={spelling.inputMode ?? 'text'}
      autocomplete="off" {...attributes} onInput={event => type(event.currentTarget.value)} />
    return suffix ? <span class="withsuffix">{input}<span class="suffix">{suffix}</span></span> : input
  }}</Field>
}

export function NumberField({ min, decimal = false, ...props }: ParsedProps<number> & { min?: number, decimal?: boolean }) {
  const parse = (text: string) => {
    if (!(decimal ? /^\s*-?\d+(\.\d+)?\s*$/ : /^\s*-?\d+\s*$/).test(text)) return null
    const value = Number(text)
    return !Number.isFinite(value) || (min !== undefined && value < min) ? null : value
  }
  const wrong = `A ${decimal ? '' : 'whole '}number${min === undefined ? '' : ` of at least ${min}`}, please`
  return <ParsedField {...props} spelling={{ parse, write: String, wrong, inputMode: decimal ? 'decimal' : 'numeric' }} />
}

export function DurationField(props: ParsedProps<number>) {
  const spelling = { parse: parseDuration, write: (value: number) => writeDuration(value), wrong: 'Like 30s, 12h, 3d or 2w, please' }
  return <ParsedField {...props} spelling={spelling} />
}

export function SizeField(props: ParsedProps<number>) {
  return <ParsedField {...props} spelling={{ parse: parseSize, write: writeSize, wrong: 'Like 500m, 2g or a number of octets, please' }} />
}

const LINES: Spelling<readonly string[]> = {
  parse: text => text.split('\n').map(line => line.trim()).filter(line => line !== ''),
  write: lines => lines.join('\n'),
  wrong: '',
}

/** Several texts, one a line. */
export function ListField({ label, bind, help, rows = 3, mono, placeholder }: Omit<AreaProps, 'bind'> & { bind: Bound<string[]> }) {
  const [text, setText] = useState(() => LINES.write(bind.value))
  const same = LINES.write(LINES.parse(text) ?? []) === LINES.write(bind.value)
  const shown = same ? text : LINES.write(bind.value)
  return <Field label={label} help={help} error={bind.error}>{attributes =>
    <textarea class={`input${mono ? ' mono' : ''}`} rows={rows} value={shown} placeholder={placeholder} spellcheck={false}
      {...attributes} onInput={event => {
        setText(event.currentTarget.value)
        bind.set([...LINES.parse(event.currentTarget.value) ?? []])
      }} />
  }</Field>
}

export function Checkbox({ label, bind, help }: { label: ComponentChildren, bind: Bound<boolean>, help?: ComponentChildren }) {
  const id = useId()
  return <div class="check">
    <input type="checkbox" id={id} checked={bind.value} aria-describedby={help ? `${id}-help` : undefined}
      onChange={event => bind.set(event.currentTarget.checked)} />
    <div>
      <label for={id}>{label}</label>
      {help && <div class="help" id={`${id}-help`}>{help}</div>}
    </div>
  </div>
}

export interface Choice<V extends string> { value: V, label: string }

interface SelectProps<V extends string> {
  label: string
  bind: Bound<V>
  choices: readonly Choice<V>[]
  help?: ComponentChildren
}

export function Select<V extends string>({ label, bind, choices, help }: SelectProps<V>) {
  return <Field label={label} help={help} error={bind.error}>{attributes =>
    <select class="input" value={bind.value} {...attributes}
      onChange={event => bind.set(event.currentTarget.value as V)}>
      {choices.map(one => <option key={one.value} value={one.value} selected={one.value === bind.value}>{one.label}</option>)}
    </select>
  }</Field>
}
