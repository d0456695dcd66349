// The password: one of your own, where that is allowed, or one that is made here.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Button, Card, Fields, Form, Notice, Page, TextField, confirm, toast, useForm } from '../kit'
import { explain } from '../lib/problem'
import { href } from '../lib/router'
import { factor, need } from './model'
import { Secret, WithAccount } from './parts'

const FOLLOWS = ['The old password stops working.', 'All other browsers are logged out, and mail programs that used the old one.']

export function PasswordPage() {
  const [made, setMade] = useState('')
  need(factor)
  const generate = async () => {
    if (!await confirm({ title: 'Make a new password?', action: 'Make new password', consequences: FOLLOWS })) return
    try {
      setMade(await api.GeneratePassword())
    } catch (error) {
      toast(explain(error), 'bad')
    }
  }
  return <Page title="Password" about="Of your account: for these pages, and for mail programs unless they have app passwords.">
    {factor.data.value && !factor.data.value.TOTP && factor.data.value.Passkeys.length === 0 && <Notice>With <a href={href(['secondfactor'])}>two-step login</a> a password alone is not enough to get in.</Notice>}
    <Card title="Generated password" about="Twelve random characters: nobody guesses it, and it is used nowhere else." actions={<Button icon="key" onPress={generate}>Make new password</Button>} />
    <WithAccount>{({ Config }) => Config.NoCustomPassword
      ? <Notice>The administrator wants generated passwords for this account.</Notice> : <Own />}</WithAccount>
    {made && <Secret title="Your new password" text={made} what="the password" onClose={() => setMade('')} />}
  </Page>
}

function Own() {
  const form = useForm({ Password: '', again: '' }, {
    success: 'Password set. Other sessions are logged out.',
    check: values => [...values.Password].length < 8 ? { Password: 'At least 8 characters' } : values.Password !== values.again ? { again: 'Not the same as above' } : {},
    save: values => api.SetPassword(values.Password),
    done: () => form.reset({ Password: '', again: '' }),
  })
  return <Card title="A password of your own" about="Do not use one that you have elsewhere: what leaks there opens your mail."><Form model={form} save="Set password">
    <Fields>
      <TextField label="New password" type="password" bind={form.field('Password')} autocomplete="new-password" help="At least 8 characters; a few random words are better." />
      <TextField label="Once more" type="password" bind={form.field('again')} autocomplete="new-password" />
    </Fields>
  </Form></Card>
}

