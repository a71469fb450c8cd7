// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IToken {
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// @title What one writes first: pays many in one transaction, one transfer each. Peers for `npm run bench -- gas`.
contract NaiveBatch {
    /// @dev what each lease was paid, ever
    mapping(uint256 leaseId => uint256 amount) public paid;

    /// @notice Pays out of what the caller has allowed.
    function pay(IToken token, address[] calldata to, uint256[] calldata amounts) external {
        require(to.length == amounts.length);
        for (uint256 i = 0; i < to.length; i++) require(token.transferFrom(msg.sender, to[i], amounts[i]));
    }

    /// @notice The same, and remembers what each lease was paid, so that a batch that comes twice pays once.
    /// @param cumulative all that each lease shall have been paid
    function settle(IToken token, uint256[] calldata leaseIds, address[] calldata to, uint256[] calldata cumulative)
        external
    {
        require(to.length == leaseIds.length && to.length == cumulative.length);
        for (uint256 i = 0; i < to.length; i++) {
            uint256 before = paid[leaseIds[i]];
            if (cumulative[i] <= before) continue;
            paid[leaseIds[i]] = cumulative[i];
            require(token.transferFrom(msg.sender, to[i], cumulative[i] - before));
        }
    }
}
