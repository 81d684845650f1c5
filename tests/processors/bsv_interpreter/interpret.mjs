// Reads {transactions: [{raw, spent: [{satoshis, script}]}], paths: [{bump, txid}]} from standard input, and writes
// {transactions: [[whether input n may spend what it spends]], paths: [the Merkle root]}; an interpreter's error is a no.
import { LockingScript, MerklePath, Spend, Transaction } from '@bsv/sdk'

const inputsOf = ({ raw, spent }) => {
  const transaction = Transaction.fromHex(raw)
  return transaction.inputs.map((input, at) => {
    const spend = new Spend({
      sourceTXID: input.sourceTXID,
      sourceOutputIndex: input.sourceOutputIndex,
      sourceSatoshis: spent[at].satoshis,
      lockingScript: LockingScript.fromHex(spent[at].script),
      transactionVersion: transaction.version,
      otherInputs: transaction.inputs.filter((_, other) => other !== at),
      outputs: transaction.outputs,
      inputIndex: at,
      unlockingScript: input.unlockingScript,
      inputSequence: input.sequence,
      lockTime: transaction.lockTime
    })
    try {
      return spend.validate()
    } catch {
      return false
    }
  })
}

let text = ''
for await (const part of process.stdin) text += part
const { transactions, paths } = JSON.parse(text)
const roots = paths.map(({ bump, txid }) => MerklePath.fromHex(bump).computeRoot(txid))
console.log(JSON.stringify({ transactions: transactions.map(inputsOf), paths: roots }))
