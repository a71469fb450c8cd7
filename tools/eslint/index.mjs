// Lint rules of our own.

const MONEY = /(micros|amount|price|usdc|rate)/i;
const FLOAT_CALLS = new Set(['Number', 'parseFloat']);

const nameOf = (node) => {
  switch (node?.type) {
    case 'Identifier':
      return node.name;
    case 'MemberExpression':
      return node.property.type === 'Identifier' ? node.property.name : undefined;
    case 'CallExpression':
      return nameOf(node.callee);
    case 'TSNonNullExpression':
      return nameOf(node.expression);
    default:
      return undefined;
  }
};

/** Amounts are bigints of micro-USDC: turning one into a number loses money above 2^53 and invites fractions. */
const noFloatMoney = {
  meta: {
    type: 'problem',
    messages: {
      float: '{{call}}() on "{{name}}" makes an amount a floating point number; keep it a bigint of micros.',
    },
    schema: [],
  },
  create: (context) => ({
    CallExpression: (node) => {
      const call = nameOf(node.callee);
      const name = nameOf(node.arguments[0]);
      if (
        call &&
        name &&
        FLOAT_CALLS.has(call) &&
        node.callee.type === 'Identifier' &&
        /micros|usdc|amount/i.test(name)
      ) {
        context.report({ node, messageId: 'float', data: { call, name } });
      }
    },
    UnaryExpression: (node) => {
      const name = node.operator === '+' ? nameOf(node.argument) : undefined;
      if (name && MONEY.test(name)) context.report({ node, messageId: 'float', data: { call: '+', name } });
    },
  }),
};

export default { rules: { 'no-float-money': noFloatMoney } };
