// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asks a browser wallet (EIP-1193, found by EIP-6963 or as window.ethereum) for the owner's
// signature and hands it to the command that serves this page. What it may not do: decide anything.
// The command verifies whatever comes.
"use strict";

const USER_REJECTED = 4001;
const CHAIN_UNKNOWN = 4902;
const WALLETS_MS = 500; // how long wallets may take to announce themselves

const CHAINS = {
    1: "Ethereum",
    10: "OP Mainnet",
    137: "Polygon",
    8453: "Base",
    42161: "Arbitrum One",
    84532: "Base Sepolia",
    11155111: "Sepolia",
};

const wallets = new Map(); // provider -> name
let request = null;

const $ = (id) => document.getElementById(id);

function say(text, kind = "") {
    $("status").textContent = text;
    $("status").className = kind;
}

// A problem is shown here and told to the command, which shows it on the terminal.
function complain(text) {
    say(text, "bad");
    post({ problem: text }).catch(() => {});
}

async function post(message) {
    const answer = await fetch("result", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(message),
    });
    return answer.json();
}

function chainName(id) {
    return CHAINS[id] ? `${CHAINS[id]} (chain ${id})` : `chain ${id}`;
}

function show() {
    $("token").textContent = request.token;
    $("token-inline").textContent = request.token;
    $("chain").textContent = chainName(request.chain_id);
    $("contract").textContent = request.contract;
    $("owner").textContent = request.owner;
    $("node").textContent = request.node;
    $("node-key").textContent = request.node_key;
    $("until").textContent = request.until;
    $("exact").textContent = JSON.stringify(JSON.parse(request.typed_data), null, 2);
}

// --- the wallet ---

function hexOf(text) {
    const bytes = new TextEncoder().encode(text);
    return "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Wallets wrap an inner error, or say the code of it in another place.
function codeOf(error) {
    return error?.data?.originalError?.code ?? error?.code;
}

function textOf(error) {
    const text = error?.message ?? String(error);
    return codeOf(error) === undefined ? text : `${text} (${codeOf(error)})`;
}

async function hasOwner(provider) {
    const accounts = await provider.request({ method: "eth_requestAccounts" });
    if (accounts.some((account) => account.toLowerCase() === request.owner.toLowerCase())) {
        return true;
    }
    complain(`The wallet offers ${accounts.join(", ") || "no account"}; the owner of token ` +
        `${request.token} is ${request.owner}. Choose that account in the wallet and try again.`);
    return false;
}

// Wallets sign typed data for the chain that they are on. One that cannot go there may still sign
// the text, which names the chain in words.
async function switchChain(provider) {
    const wanted = "0x" + BigInt(request.chain_id).toString(16);
    const current = await provider.request({ method: "eth_chainId" });
    if (BigInt(current) === BigInt(wanted)) {
        return true;
    }
    say(`Asking the wallet to switch to ${chainName(request.chain_id)} \u2026`);
    try {
        await provider.request({
            method: "wallet_switchEthereumChain",
            params: [{ chainId: wanted }],
        });
        return true;
    } catch (error) {
        if (codeOf(error) === USER_REJECTED) {
            throw error;
        }
        say(codeOf(error) === CHAIN_UNKNOWN
            ? `The wallet does not know ${chainName(request.chain_id)}.`
            : `The wallet does not switch chains: ${textOf(error)}`);
        return false;
    }
}

async function signTypedData(provider) {
    say("Confirm in the wallet: it shows the fields above.");
    return provider.request({
        method: "eth_signTypedData_v4",
        params: [request.owner, request.typed_data],
    });
}

async function signText(provider) {
    say("The wallet signs no typed data here, so it is asked to sign the same as text. " +
        "Confirm in the wallet.");
    $("exact").textContent = request.text;
    return provider.request({
        method: "personal_sign",
        params: [hexOf(request.text), request.owner],
    });
}

async function sign(provider) {
    if (await switchChain(provider)) {
        try {
            return await signTypedData(provider);
        } catch (error) {
            if (codeOf(error) === USER_REJECTED) {
                throw error;
            }
        }
    }
    return signText(provider);
}

async function run(provider) {
    setButtons(false);
    try {
        say("Waiting for the wallet \u2026");
        if (!await hasOwner(provider)) {
            return;
        }
        const answer = await post({ signature: await sign(provider) });
        if (answer.error) {
            say(answer.error, "bad");
            return;
        }
        $("wallets").replaceChildren();
        $("wallets-title").hidden = true;
        say("Done. The node has your signature; you may close this page.", "good");
    } catch (error) {
        if (codeOf(error) === USER_REJECTED) {
            complain("You declined in the wallet (4001); nothing was signed. You can try again.");
        } else if (error instanceof TypeError) {
            // fetch: nobody answers at this address.
            say("The deedmesh command that opened this page has ended. Run it again.", "bad");
        } else {
            complain(`The wallet could not sign: ${textOf(error)}`);
        }
    } finally {
        setButtons(true);
    }
}

// --- which wallets there are ---

function setButtons(enabled) {
    for (const button of $("wallets").children) {
        button.disabled = !enabled;
    }
}

function addWallet(provider, name, icon) {
    if (wallets.has(provider)) {
        return;
    }
    wallets.set(provider, name);
    const button = document.createElement("button");
    button.type = "button";
    if (typeof icon === "string" && icon.startsWith("data:image/")) {
        const image = document.createElement("img");
        image.src = icon;
        image.alt = "";
        button.append(image);
    }
    button.append(name);
    button.addEventListener("click", () => run(provider));
    $("wallets").append(button);
    $("wallets-title").hidden = false;
    say("Nothing is signed before you confirm it in the wallet.");
}

function findWallets() {
    addEventListener("eip6963:announceProvider", (event) => {
        const { info, provider } = event.detail ?? {};
        if (provider?.request) {
            addWallet(provider, String(info?.name ?? "Wallet"), info?.icon);
        }
    });
    dispatchEvent(new Event("eip6963:requestProvider"));
    setTimeout(() => {
        if (wallets.size === 0 && window.ethereum?.request) {
            addWallet(window.ethereum, "Browser wallet");
        }
        if (wallets.size === 0) {
            complain("There is no wallet in this browser. Open this address in a browser with a " +
                "wallet extension. Other ways to sign: " +
                "\"deedmesh authorize --help\".");
        }
    }, WALLETS_MS);
}

async function start() {
    try {
        request = await (await fetch("request")).json();
    } catch {
        say("The deedmesh command that opened this page has ended. Run it again.", "bad");
        return;
    }
    show();
    findWallets();
}

start();
