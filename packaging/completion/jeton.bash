# Made by tools/completion.py; not to be edited.
# _jeton_verbs NOUN: what may follow it; without a noun, the nouns.
_jeton_verbs()
{
    case $1 in
    '') echo serve user service client token key audit mail plan apply backup restore move doctor version help ;;
    user) echo add passwd disable enable unlock list show totp import ;;
    service) echo add set secret disable enable list show ;;
    client) echo add set secret disable enable list show ;;
    token) echo list revoke explain ;;
    key) echo list rotate ;;
    audit) echo export verify key ;;
    mail) echo list retry test ;;
    esac
}

# _jeton_words NOUN VERB BEFORE: what may stand after the word BEFORE.
_jeton_words()
{
    case "$1 $2 $3" in
    "serve "*" "--config | "serve "*" "--tls-certificate | "serve "*" "--tls-key | "serve "*" "--tls-client-ca | "serve "*" "--fetch-ca-file | "serve "*" "--smtp-password-file | "serve "*" "--smtp-ca-file | "serve "*" "--brand-logo | "serve "*" "--master-key-file | "serve "*" "--database-password-file)
        echo '=file'
        ;;
    "serve "*" "--listen | "serve "*" "--tls-listen | "serve "*" "--database-connections | "serve "*" "--metrics-listen | "serve "*" "--issuer | "serve "*" "--trusted-proxy | "serve "*" "--drain-delay | "serve "*" "--work-threads | "serve "*" "--hash-threads | "serve "*" "--loops | "serve "*" "--token-memory | "serve "*" "--lockout-duration | "serve "*" "--permanent-lifetime-max | "serve "*" "--audit-retention | "serve "*" "--tls-client-listen | "serve "*" "--tls-client-certificate-header | "serve "*" "--fetch-network | "serve "*" "--client-registration-max | "serve "*" "--client-registration-service | "serve "*" "--client-document-host | "serve "*" "--smtp-url | "serve "*" "--mail-from | "serve "*" "--brand-name | "serve "*" "--brand-color | "serve "*" "--brand-color-dark | "serve "*" "--registration-domain | "serve "*" "--uauth-prefix | "serve "*" "--uauth-host | "serve "*" "--spectrum-prefix | "serve "*" "--spectrum-host | "serve "*" "--spectrum-session-idle | "serve "*" "--spectrum-soap-open-operation | "serve "*" "--spectrum-cors-origin | "serve "*" "--spectrum-cors-headers | "serve "*" "--3dm-prefix | "serve "*" "--3dm-host | "serve "*" "--3dm-token-lifetime | "serve "*" "--database)
        echo ''
        ;;
    "serve "*" "--log-format)
        echo 'auto text json'
        ;;
    "serve "*" "--log-level)
        echo 'debug info warn error'
        ;;
    "serve "*" "--lockout-mode)
        echo 'throttle timed disable'
        ;;
    "serve "*" "--audit-log)
        echo 'none log syslog'
        ;;
    "serve "*" "--dpop-nonce)
        echo 'offered required'
        ;;
    "serve "*" "--sandbox)
        echo 'on off required'
        ;;
    "serve "*" "--client-registration)
        echo 'off token open'
        ;;
    "serve "*" "--client-id-documents | "serve "*" "--registration | "serve "*" "--uauth | "serve "*" "--spectrum | "serve "*" "--spectrum-basic | "serve "*" "--spectrum-endless-open-tokens | "serve "*" "--3dm | "serve "*" "--3dm-refresh-rotation | "serve "*" "--3dm-check-token | "serve "*" "--3dm-token-key)
        echo 'on off'
        ;;
    "serve "*" "--spectrum-address-binding)
        echo 'exact prefix off'
        ;;
    "serve "*" "--spectrum-soap-binding)
        echo 'session none'
        ;;
    "serve "*" "--spectrum-namespace)
        echo 'precisely pb'
        ;;
    "serve "*" "--3dm-client-error)
        echo 'oauth boot'
        ;;
    "serve "*" "--data)
        echo '=folder'
        ;;
    "serve "*" "*)
        echo '--config --listen --tls-listen --tls-certificate --tls-key --database-connections --metrics-listen --issuer --trusted-proxy --drain-delay --log-format --log-level --work-threads --hash-threads --loops --token-memory --lockout-mode --lockout-duration --permanent-lifetime-max --audit-log --audit-retention --dpop-nonce --sandbox --tls-client-listen --tls-client-ca --tls-client-certificate-header --fetch-network --fetch-ca-file --client-registration --client-registration-max --client-registration-service --client-id-documents --client-document-host --smtp-url --smtp-password-file --smtp-ca-file --mail-from --registration --brand-name --brand-logo --brand-color --brand-color-dark --registration-domain --uauth --uauth-prefix --uauth-host --spectrum --spectrum-prefix --spectrum-host --spectrum-session-idle --spectrum-address-binding --spectrum-basic --spectrum-endless-open-tokens --spectrum-soap-binding --spectrum-soap-open-operation --spectrum-namespace --spectrum-cors-origin --spectrum-cors-headers --3dm --3dm-prefix --3dm-host --3dm-token-lifetime --3dm-refresh-rotation --3dm-client-error --3dm-check-token --3dm-token-key --check --data --master-key-file --database --database-password-file --help'
        ;;
    "user add "--full-name | "user add "--email | "user add "--database)
        echo ''
        ;;
    "user add "--data)
        echo '=folder'
        ;;
    "user add "--master-key-file | "user add "--database-password-file)
        echo '=file'
        ;;
    "user add "*)
        echo '--password-stdin --invite --full-name --email --admin --data --master-key-file --database --database-password-file --help'
        ;;
    "user passwd "--data)
        echo '=folder'
        ;;
    "user passwd "--master-key-file | "user passwd "--database-password-file)
        echo '=file'
        ;;
    "user passwd "--database)
        echo ''
        ;;
    "user passwd "*)
        echo '--password-stdin --data --master-key-file --database --database-password-file --help'
        ;;
    "user disable "--data)
        echo '=folder'
        ;;
    "user disable "--master-key-file | "user disable "--database-password-file)
        echo '=file'
        ;;
    "user disable "--database)
        echo ''
        ;;
    "user disable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "user enable "--data)
        echo '=folder'
        ;;
    "user enable "--master-key-file | "user enable "--database-password-file)
        echo '=file'
        ;;
    "user enable "--database)
        echo ''
        ;;
    "user enable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "user unlock "--data)
        echo '=folder'
        ;;
    "user unlock "--master-key-file | "user unlock "--database-password-file)
        echo '=file'
        ;;
    "user unlock "--database)
        echo ''
        ;;
    "user unlock "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "user list "--data)
        echo '=folder'
        ;;
    "user list "--master-key-file | "user list "--database-password-file)
        echo '=file'
        ;;
    "user list "--database)
        echo ''
        ;;
    "user list "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "user show "--data)
        echo '=folder'
        ;;
    "user show "--master-key-file | "user show "--database-password-file)
        echo '=file'
        ;;
    "user show "--database)
        echo ''
        ;;
    "user show "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "user totp "--issuer | "user totp "--device-name | "user totp "--database)
        echo ''
        ;;
    "user totp "--data)
        echo '=folder'
        ;;
    "user totp "--master-key-file | "user totp "--database-password-file)
        echo '=file'
        ;;
    "user totp "*)
        echo '--issuer --device-name --recovery-codes --remove --data --master-key-file --database --database-password-file --help'
        ;;
    "service add "--name | "service add "--scope | "service add "--lifetime | "service add "--database)
        echo ''
        ;;
    "service add "--format)
        echo 'opaque jwt'
        ;;
    "service add "--alg)
        echo 'ES256 EdDSA RS256'
        ;;
    "service add "--data)
        echo '=folder'
        ;;
    "service add "--master-key-file | "service add "--database-password-file)
        echo '=file'
        ;;
    "service add "*)
        echo '--name --scope --format --alg --lifetime --allow-password --expires-in-as-string --secret-stdin --data --master-key-file --database --database-password-file --help'
        ;;
    "service set "--name | "service set "--scope | "service set "--lifetime | "service set "--database)
        echo ''
        ;;
    "service set "--format)
        echo 'opaque jwt'
        ;;
    "service set "--alg)
        echo 'ES256 EdDSA RS256'
        ;;
    "service set "--allow-password | "service set "--expires-in-as-string)
        echo 'yes no'
        ;;
    "service set "--data)
        echo '=folder'
        ;;
    "service set "--master-key-file | "service set "--database-password-file)
        echo '=file'
        ;;
    "service set "*)
        echo '--name --scope --format --alg --lifetime --allow-password --expires-in-as-string --data --master-key-file --database --database-password-file --help'
        ;;
    "service secret "--data)
        echo '=folder'
        ;;
    "service secret "--master-key-file | "service secret "--database-password-file)
        echo '=file'
        ;;
    "service secret "--database)
        echo ''
        ;;
    "service secret "*)
        echo '--secret-stdin --data --master-key-file --database --database-password-file --help'
        ;;
    "service disable "--data)
        echo '=folder'
        ;;
    "service disable "--master-key-file | "service disable "--database-password-file)
        echo '=file'
        ;;
    "service disable "--database)
        echo ''
        ;;
    "service disable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "service enable "--data)
        echo '=folder'
        ;;
    "service enable "--master-key-file | "service enable "--database-password-file)
        echo '=file'
        ;;
    "service enable "--database)
        echo ''
        ;;
    "service enable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "service list "--data)
        echo '=folder'
        ;;
    "service list "--master-key-file | "service list "--database-password-file)
        echo '=file'
        ;;
    "service list "--database)
        echo ''
        ;;
    "service list "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "service show "--data)
        echo '=folder'
        ;;
    "service show "--master-key-file | "service show "--database-password-file)
        echo '=file'
        ;;
    "service show "--database)
        echo ''
        ;;
    "service show "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "client add "--name | "client add "--grant | "client add "--scope | "client add "--service | "client add "--redirect-uri | "client add "--refresh-lifetime | "client add "--refresh-idle-lifetime | "client add "--metadata | "client add "--auth-method | "client add "--jwks | "client add "--jwks-uri | "client add "--tls-subject | "client add "--post-logout-uri | "client add "--back-channel-logout-uri | "client add "--database)
        echo ''
        ;;
    "client add "--id-token-alg)
        echo 'ES256 EdDSA RS256'
        ;;
    "client add "--data)
        echo '=folder'
        ;;
    "client add "--master-key-file | "client add "--database-password-file)
        echo '=file'
        ;;
    "client add "*)
        echo '--name --secret-stdin --no-secret --public --grant --scope --service --redirect-uri --refresh-lifetime --refresh-idle-lifetime --metadata --auth-method --jwks --jwks-uri --tls-subject --post-logout-uri --back-channel-logout-uri --id-token-alg --trusted --require-pushed --require-signed --bind-dpop --bind-tls --pairwise --data --master-key-file --database --database-password-file --help'
        ;;
    "client set "--name | "client set "--grant | "client set "--scope | "client set "--service | "client set "--redirect-uri | "client set "--refresh-lifetime | "client set "--refresh-idle-lifetime | "client set "--metadata | "client set "--auth-method | "client set "--jwks | "client set "--jwks-uri | "client set "--tls-subject | "client set "--post-logout-uri | "client set "--back-channel-logout-uri | "client set "--database)
        echo ''
        ;;
    "client set "--id-token-alg)
        echo 'ES256 EdDSA RS256'
        ;;
    "client set "--data)
        echo '=folder'
        ;;
    "client set "--master-key-file | "client set "--database-password-file)
        echo '=file'
        ;;
    "client set "*)
        echo '--name --grant --scope --service --no-service --redirect-uri --no-redirect-uri --refresh-lifetime --refresh-idle-lifetime --metadata --auth-method --jwks --jwks-uri --tls-subject --post-logout-uri --back-channel-logout-uri --id-token-alg --trusted --require-pushed --require-signed --bind-dpop --bind-tls --pairwise --data --master-key-file --database --database-password-file --help'
        ;;
    "client secret "--overlap | "client secret "--database)
        echo ''
        ;;
    "client secret "--data)
        echo '=folder'
        ;;
    "client secret "--master-key-file | "client secret "--database-password-file)
        echo '=file'
        ;;
    "client secret "*)
        echo '--secret-stdin --overlap --end-overlap --data --master-key-file --database --database-password-file --help'
        ;;
    "client disable "--data)
        echo '=folder'
        ;;
    "client disable "--master-key-file | "client disable "--database-password-file)
        echo '=file'
        ;;
    "client disable "--database)
        echo ''
        ;;
    "client disable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "client enable "--data)
        echo '=folder'
        ;;
    "client enable "--master-key-file | "client enable "--database-password-file)
        echo '=file'
        ;;
    "client enable "--database)
        echo ''
        ;;
    "client enable "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "client list "--data)
        echo '=folder'
        ;;
    "client list "--master-key-file | "client list "--database-password-file)
        echo '=file'
        ;;
    "client list "--database)
        echo ''
        ;;
    "client list "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "client show "--data)
        echo '=folder'
        ;;
    "client show "--master-key-file | "client show "--database-password-file)
        echo '=file'
        ;;
    "client show "--database)
        echo ''
        ;;
    "client show "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "token list "--account | "token list "--client | "token list "--database)
        echo ''
        ;;
    "token list "--data)
        echo '=folder'
        ;;
    "token list "--master-key-file | "token list "--database-password-file)
        echo '=file'
        ;;
    "token list "*)
        echo '--account --client --json --data --master-key-file --database --database-password-file --help'
        ;;
    "token revoke "--id | "token revoke "--account | "token revoke "--client | "token revoke "--service | "token revoke "--database)
        echo ''
        ;;
    "token revoke "--data)
        echo '=folder'
        ;;
    "token revoke "--master-key-file | "token revoke "--database-password-file)
        echo '=file'
        ;;
    "token revoke "*)
        echo '--id --account --client --service --data --master-key-file --database --database-password-file --help'
        ;;
    "token explain "--id | "token explain "--at | "token explain "--service | "token explain "--scope | "token explain "--address | "token explain "--database)
        echo ''
        ;;
    "token explain "--data)
        echo '=folder'
        ;;
    "token explain "--master-key-file | "token explain "--database-password-file)
        echo '=file'
        ;;
    "token explain "*)
        echo '--id --at --service --scope --address --data --master-key-file --database --database-password-file --help'
        ;;
    "key list "--data)
        echo '=folder'
        ;;
    "key list "--master-key-file | "key list "--database-password-file)
        echo '=file'
        ;;
    "key list "--database)
        echo ''
        ;;
    "key list "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "key rotate "--alg)
        echo 'ES256 EdDSA RS256'
        ;;
    "key rotate "--data)
        echo '=folder'
        ;;
    "key rotate "--master-key-file | "key rotate "--database-password-file)
        echo '=file'
        ;;
    "key rotate "--database)
        echo ''
        ;;
    "key rotate "*)
        echo '--alg --now --data --master-key-file --database --database-password-file --help'
        ;;
    "audit export "--last | "audit export "--since | "audit export "--until | "audit export "--kind | "audit export "--account | "audit export "--database)
        echo ''
        ;;
    "audit export "--data)
        echo '=folder'
        ;;
    "audit export "--master-key-file | "audit export "--database-password-file)
        echo '=file'
        ;;
    "audit export "*)
        echo '--last --since --until --kind --account --oldest-first --with-checkpoints --data --master-key-file --database --database-password-file --help'
        ;;
    "mail list "--data)
        echo '=folder'
        ;;
    "mail list "--master-key-file | "mail list "--database-password-file)
        echo '=file'
        ;;
    "mail list "--database)
        echo ''
        ;;
    "mail list "*)
        echo '--json --data --master-key-file --database --database-password-file --help'
        ;;
    "mail retry "--data)
        echo '=folder'
        ;;
    "mail retry "--master-key-file | "mail retry "--database-password-file)
        echo '=file'
        ;;
    "mail retry "--database)
        echo ''
        ;;
    "mail retry "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "mail test "--smtp-url | "mail test "--mail-from | "mail test "--database)
        echo ''
        ;;
    "mail test "--smtp-password-file | "mail test "--smtp-ca-file | "mail test "--master-key-file | "mail test "--database-password-file)
        echo '=file'
        ;;
    "mail test "--data)
        echo '=folder'
        ;;
    "mail test "*)
        echo '--queue --smtp-url --smtp-password-file --smtp-ca-file --mail-from --data --master-key-file --database --database-password-file --help'
        ;;
    "audit verify "--checkpoint | "audit verify "--public-key | "audit verify "--database)
        echo ''
        ;;
    "audit verify "--file | "audit verify "--master-key-file | "audit verify "--database-password-file)
        echo '=file'
        ;;
    "audit verify "--data)
        echo '=folder'
        ;;
    "audit verify "*)
        echo '--checkpoint --public-key --file --data --master-key-file --database --database-password-file --help'
        ;;
    "audit key "--data)
        echo '=folder'
        ;;
    "audit key "--master-key-file | "audit key "--database-password-file)
        echo '=file'
        ;;
    "audit key "--database)
        echo ''
        ;;
    "audit key "*)
        echo '--data --master-key-file --database --database-password-file --help'
        ;;
    "plan "*" "--data)
        echo '=folder'
        ;;
    "plan "*" "--master-key-file | "plan "*" "--database-password-file)
        echo '=file'
        ;;
    "plan "*" "--database)
        echo ''
        ;;
    "plan "*" "*)
        echo '=file --prune --take-over --json --detailed-exitcode --data --master-key-file --database --database-password-file --help'
        ;;
    "apply "*" "--data)
        echo '=folder'
        ;;
    "apply "*" "--master-key-file | "apply "*" "--database-password-file)
        echo '=file'
        ;;
    "apply "*" "--database)
        echo ''
        ;;
    "apply "*" "*)
        echo '=file --prune --take-over --json --data --master-key-file --database --database-password-file --help'
        ;;
    "user import "--format)
        echo 'htpasswd ldif keycloak'
        ;;
    "user import "--data)
        echo '=folder'
        ;;
    "user import "--master-key-file | "user import "--database-password-file)
        echo '=file'
        ;;
    "user import "--database)
        echo ''
        ;;
    "user import "*)
        echo '=file --format --dry-run --update --data --master-key-file --database --database-password-file --help'
        ;;
    "backup "*" "--data)
        echo '=folder'
        ;;
    "backup "*" "--database)
        echo ''
        ;;
    "backup "*" "--database-password-file | "backup "*" "--master-key-file | "backup "*" "--key-file)
        echo '=file'
        ;;
    "backup "*" "*)
        echo '=file --data --database --database-password-file --master-key-file --key-file --passphrase-stdin --include-master-key --force --verify --help'
        ;;
    "restore "*" "--data)
        echo '=folder'
        ;;
    "restore "*" "--database)
        echo ''
        ;;
    "restore "*" "--database-password-file | "restore "*" "--master-key-file | "restore "*" "--key-file | "restore "*" "--revoked-since)
        echo '=file'
        ;;
    "restore "*" "*)
        echo '=file --data --database --database-password-file --master-key-file --key-file --passphrase-stdin --keep-access-tokens --revoked-since --help'
        ;;
    "move "*" "--from | "move "*" "--to)
        echo '=folder'
        ;;
    "move "*" "--master-key-file | "move "*" "--from-password-file | "move "*" "--to-password-file)
        echo '=file'
        ;;
    "move "*" "*)
        echo '--from --to --master-key-file --from-password-file --to-password-file --undo --help'
        ;;
    "doctor "*" "*)
        echo '--deep --json --sandbox --help'
        ;;
    esac
}

_jeton()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local noun=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} words=

    # bash takes --name=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        words=$(_jeton_verbs '')
    elif ((COMP_CWORD == 2)) && words=$(_jeton_verbs "$noun") && [[ -n $words ]]; then
        :
    else
        words=$(_jeton_words "$noun" "$verb" "$before")
    fi
    # Names on this machine where they are asked for; an option where a dash has been typed.
    if [[ $words == =* && $word != -* ]]; then
        compopt -o filenames 2>/dev/null
        if [[ $words == =file* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
        fi
    else
        mapfile -t COMPREPLY < <(compgen -W "${words#=* }" -- "$word")
    fi
}

complete -F _jeton jeton
